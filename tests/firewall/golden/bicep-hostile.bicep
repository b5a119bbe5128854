// egressd: 12 rules to ask for.
// What failed from probe.corp.example at 2026-11-29T10:15:00.000Z (run 20261129T101500Z-1).
// Profiles: resource-bridge, connected-machine; cloud public, region westeurope; catalog of 2026-11-29.
// For an Azure Firewall policy, as Bicep; its forms are from the Bicep reference of
// Microsoft.Network/firewallPolicies/ruleCollectionGroups@2024-05-01 and the Azure Firewall FAQ of 2022-09-12.
// Not tried on a device: review it first.
// One-label wildcards pass deeper names as well; network rules know no wildcards.
// Network rules with names work only with the DNS proxy of the policy turned on.
// Network rules are judged before application rules, whatever the priorities.
// Let nothing else be in the rule collection group of this name, and give it a priority of its own.
// x ; y ${z} %{z} $(reboot) id */ end config system admin # [concat( a )] is no address: put its addresses into
// the parameter for host addresses.
// x ; y ${z} %{z} $(reboot) id */ end config system admin # [concat( a )] is no address: put its addresses into
// the parameter for proxy addresses.
// fe80::1%eth0 ${z} is no address: put its addresses into the parameter for host addresses.
// a*.example.net tcp/443: a*.example.net cannot be said: every name under example.net passes.
// x ; y ${z} %{z} $(reboot) id */ end config system admin # [concat( a )] tcp/443: left out ( x ; y ${z} %{z}
// $(reboot) id */ nend nconfig system admin n# [concat( a )] xe9 u2028 is neither a host name nor an address).
// c.example.net tcp/443: left out (this is for the policy of the proxy x ; y ${z} %{z} $(reboot) id */ end
// config system admin # [concat( a )] itself).
// fe80::1%x ${z} tcp/443: left out ( fe80::1%x ${z} is neither a host name nor an address).
// * tcp/443: left out (* has no domain behind its *).
// *.*.example.net tcp/443: left out (*.*.example.net has a * behind the first label).
// tcp/443: left out ( is neither a host name nor an address).

@description('The policy that the rules go into')
param firewallPolicyName string

@description('Of the rule collection group; lower numbers are judged first')
@minValue(100)
@maxValue(64999)
param priority int = 500

@description('Addresses of the hosts whose source address is not known')
param hostAddresses array

@description('Addresses that the proxy connects from')
param proxyAddresses array

resource policy 'Microsoft.Network/firewallPolicies@2024-05-01' existing = {
  name: firewallPolicyName
}

resource egressd 'Microsoft.Network/firewallPolicies/ruleCollectionGroups@2024-05-01' = {
  parent: policy
  name: 'egressd-20261129t101500z-1-5e6aff'
  properties: {
    priority: priority
    ruleCollections: [
      {
        ruleCollectionType: 'FirewallPolicyFilterRuleCollection'
        name: 'egressd-application'
        priority: 300
        action: {
          type: 'Allow'
        }
        rules: [
          {
            ruleType: 'ApplicationRule'
            name: 'optional-https-443'
            description: 'For x\'; "y" \${z} %{z} \$(reboot) `id` */ ? end config system admin # \\ [concat(\'a\')]'
            sourceAddresses: [
              '10.20.0.11'
            ]
            protocols: [
              {
                protocolType: 'Https'
                port: 443
              }
            ]
            targetFqdns: [
              'good.example.net'
            ]
          }
          {
            ruleType: 'ApplicationRule'
            name: 'optional-https-443-2'
            description: 'For x\'; "y" \${z} %{z} \$(reboot) `id` */ ? end config system admin # \\ [concat(\'a\')]; Web'
            sourceAddresses: hostAddresses
            protocols: [
              {
                protocolType: 'Https'
                port: 443
              }
            ]
            targetFqdns: [
              'good.example.net'
              'd.example.net'
            ]
          }
          {
            ruleType: 'ApplicationRule'
            name: 'optional-https-443-3'
            description: 'For x\'; "y" \${z} %{z} \$(reboot) `id` */ ? end config system admin # \\ [concat(\'a\')]; [concat(\'evaluated\')]'
            sourceAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
            protocols: [
              {
                protocolType: 'Https'
                port: 443
              }
            ]
            targetFqdns: [
              '*.example.net'
              'e.example.net'
              'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy.zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz.example.net'
            ]
          }
          {
            ruleType: 'ApplicationRule'
            name: 'optional-https-443-from-proxy'
            description: 'For Web'
            sourceAddresses: proxyAddresses
            protocols: [
              {
                protocolType: 'Https'
                port: 443
              }
            ]
            targetFqdns: [
              'b.example.net'
            ]
          }
        ]
      }
    ]
  }
}
