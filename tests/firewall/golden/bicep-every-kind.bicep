// egressd: 28 rules to ask for.
// What failed from probe.corp.example at 2026-11-29T10:15:00.000Z (run 20261129T101500Z-1).
// Profiles: resource-bridge, connected-machine; cloud public, region westeurope; catalog of 2026-11-29.
// For an Azure Firewall policy, as Bicep; its forms are from the Bicep reference of
// Microsoft.Network/firewallPolicies/ruleCollectionGroups@2024-05-01 and the Azure Firewall FAQ of 2022-09-12.
// Not tried on a device: review it first.
// One-label wildcards pass deeper names as well; network rules know no wildcards.
// Network rules with names work only with the DNS proxy of the policy turned on.
// Network rules are judged before application rules, whatever the priorities.
// Let nothing else be in the rule collection group of this name, and give it a priority of its own.
// Service tags are in a group of their own that is off: they pass far more than the hosts.
// Azure Firewall knows no IPv6: the source 2001:db8::11 is left out.
// Sources are not known: put their addresses into the parameter for host addresses.
// interface eth1 is no address: put its addresses into the parameter for host addresses.
// proxy.corp.example is no address: put its addresses into the parameter for proxy addresses.
// *.his.arc.azure.com tcp/443: names with more labels before his.arc.azure.com pass as well.
// azgn*.servicebus.windows.net tcp/443: azgn*.servicebus.windows.net cannot be said: every name under
// servicebus.windows.net passes.
// gas*.example.net tcp/443: gas*.example.net cannot be said: only the hosts of it that failed are in
// (gas-a.example.net, gas-b.example.net).
// 10.30.0.1 icmp: Azure Firewall passes ICMP between networks, not to the Internet.
// *.exempt.example.net tcp/443: names with more labels before exempt.example.net pass as well.
// Left out (Azure Firewall knows no IPv6: every source is left out): six.example.net tcp/443, 2001:db8:7::7
// tcp/22.
// *.tcp.example.net tcp/1433: left out (the device has no wildcards, so *.tcp.example.net cannot be said).
// vmm.corp.example tcp/5001-65535: left out (where connections come from is compared with addresses, not with
// names).
// <control_plane> tcp/22: left out (<control_plane> stands for a name of yours: give its value).
// *.at.example.net tcp/443: left out (this is for the policy of the proxy http://proxy.corp.example:3128
// itself).
// gw.example.net tcp/443: left out (no rule is needed: the Azure Arc gateway https://contoso.gw.arc.azure.com
// forwards it).
// resolve.example.net tcp/443: left out (it is for the DNS team: the name must be answered as public DNS does).

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

@description('Whether to allow the service tags as well: far more than the hosts')
param allowServiceTags bool = false

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
        name: 'egressd-no-inspection'
        priority: 100
        action: {
          type: 'Allow'
        }
        rules: [
          {
            ruleType: 'ApplicationRule'
            name: 'optional-https-443-no-inspection'
            description: 'For Web'
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
              '*.exempt.example.net'
            ]
            terminateTLS: false
          }
        ]
      }
      {
        ruleCollectionType: 'FirewallPolicyFilterRuleCollection'
        name: 'egressd-network'
        priority: 200
        action: {
          type: 'Allow'
        }
        rules: [
          {
            ruleType: 'NetworkRule'
            name: 'optional-tcp-443'
            description: 'For Web'
            sourceAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
            ipProtocols: [
              'TCP'
            ]
            destinationPorts: [
              '443'
            ]
            destinationAddresses: [
              '198.51.100.7'
            ]
          }
          {
            ruleType: 'NetworkRule'
            name: 'required-udp-123'
            description: 'For Other'
            sourceAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
            ipProtocols: [
              'UDP'
            ]
            destinationPorts: [
              '123'
            ]
            destinationFqdns: [
              'time.windows.com'
            ]
          }
          {
            ruleType: 'NetworkRule'
            name: 'required-udp-53'
            description: 'For Other'
            sourceAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
            ipProtocols: [
              'UDP'
            ]
            destinationPorts: [
              '53'
            ]
            destinationAddresses: [
              '10.0.0.53'
            ]
          }
          {
            ruleType: 'NetworkRule'
            name: 'required-tcp-53'
            description: 'For Other'
            sourceAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
            ipProtocols: [
              'TCP'
            ]
            destinationPorts: [
              '53'
            ]
            destinationAddresses: [
              '10.0.0.53'
            ]
          }
          {
            ruleType: 'NetworkRule'
            name: 'optional-icmp'
            description: 'For Other'
            sourceAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
            ipProtocols: [
              'ICMP'
            ]
            destinationPorts: [
              '*'
            ]
            destinationAddresses: [
              '10.30.0.1'
            ]
          }
          {
            ruleType: 'NetworkRule'
            name: 'optional-tcp-6443-inbound'
            description: 'For Other'
            sourceAddresses: [
              '10.40.0.9'
            ]
            ipProtocols: [
              'TCP'
            ]
            destinationPorts: [
              '6443'
            ]
            destinationAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
          }
          {
            ruleType: 'NetworkRule'
            name: 'optional-tcp-3128-to-proxy'
            description: 'For Other'
            sourceAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
            ipProtocols: [
              'TCP'
            ]
            destinationPorts: [
              '3128'
            ]
            destinationFqdns: [
              'proxy.corp.example'
            ]
          }
        ]
      }
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
            name: 'required-https-443'
            description: 'For Web'
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
              'mcr.microsoft.com'
              '*.his.arc.azure.com'
              '*.servicebus.windows.net'
            ]
          }
          {
            ruleType: 'ApplicationRule'
            name: 'optional-https-443'
            description: 'For Web'
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
              'gas-a.example.net'
              'gas-b.example.net'
              '*service.waconazure.com'
              'both.example.net'
            ]
          }
          {
            ruleType: 'ApplicationRule'
            name: 'optional-http-80'
            description: 'For Web'
            sourceAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
            protocols: [
              {
                protocolType: 'Http'
                port: 80
              }
            ]
            targetFqdns: [
              '*.dl.delivery.mp.microsoft.com'
              'dl.delivery.mp.microsoft.com'
            ]
          }
          {
            ruleType: 'ApplicationRule'
            name: 'optional-https-10124-10139'
            description: 'For Web'
            sourceAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
            protocols: [
              {
                protocolType: 'Https'
                port: 10124
              }
              {
                protocolType: 'Https'
                port: 10125
              }
              {
                protocolType: 'Https'
                port: 10126
              }
              {
                protocolType: 'Https'
                port: 10127
              }
              {
                protocolType: 'Https'
                port: 10128
              }
              {
                protocolType: 'Https'
                port: 10129
              }
              {
                protocolType: 'Https'
                port: 10130
              }
              {
                protocolType: 'Https'
                port: 10131
              }
              {
                protocolType: 'Https'
                port: 10132
              }
              {
                protocolType: 'Https'
                port: 10133
              }
              {
                protocolType: 'Https'
                port: 10134
              }
              {
                protocolType: 'Https'
                port: 10135
              }
              {
                protocolType: 'Https'
                port: 10136
              }
              {
                protocolType: 'Https'
                port: 10137
              }
              {
                protocolType: 'Https'
                port: 10138
              }
              {
                protocolType: 'Https'
                port: 10139
              }
            ]
            targetFqdns: [
              'cloud.example.net'
            ]
          }
          {
            ruleType: 'ApplicationRule'
            name: 'optional-https-443-2'
            description: 'For Web'
            sourceAddresses: hostAddresses
            protocols: [
              {
                protocolType: 'Https'
                port: 443
              }
            ]
            targetFqdns: [
              'nobody.example.net'
              'eth.example.net'
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
              'from.example.net'
            ]
          }
        ]
      }
    ]
  }
}

resource egressdServiceTags 'Microsoft.Network/firewallPolicies/ruleCollectionGroups@2024-05-01' = if (allowServiceTags) {
  parent: policy
  name: 'egressd-20261129t101500z-1-5e6aff-tags'
  dependsOn: [
    egressd
  ]
  properties: {
    priority: priority + 1
    ruleCollections: [
      {
        ruleCollectionType: 'FirewallPolicyFilterRuleCollection'
        name: 'egressd-service-tags'
        priority: 100
        action: {
          type: 'Allow'
        }
        rules: [
          {
            ruleType: 'NetworkRule'
            name: 'required-https-443-tags'
            description: 'For Web'
            sourceAddresses: [
              '10.20.0.11'
              '10.20.0.12'
            ]
            ipProtocols: [
              'TCP'
            ]
            destinationPorts: [
              '443'
            ]
            destinationAddresses: [
              'MicrosoftContainerRegistry'
            ]
          }
        ]
      }
    ]
  }
}
