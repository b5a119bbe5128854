// egressd: 0 rules to ask for.
// What failed from probe.corp.example at 2026-11-29T10:15:00.000Z (run 20261129T101500Z-1).
// Profiles: resource-bridge, connected-machine; cloud public, region westeurope; catalog of 2026-11-29.
// For an Azure Firewall policy, as Bicep; its forms are from the Bicep reference of
// Microsoft.Network/firewallPolicies/ruleCollectionGroups@2024-05-01 and the Azure Firewall FAQ of 2022-09-12.
// Not tried on a device: review it first.
// No rule for it.
