# egressd: 0 rules to ask for.
# What failed from probe.corp.example at 2026-11-29T10:15:00.000Z (run 20261129T101500Z-1).
# Profiles: resource-bridge, connected-machine; cloud public, region westeurope; catalog of 2026-11-29.
# For an Azure Firewall policy, for Terraform (azurerm); its forms are from the azurerm page of
# azurerm_firewall_policy_rule_collection_group (API 2024-05-01) and the Azure Firewall FAQ of 2022-09-12. Not
# tried on a device: review it first.
# No rule for it.
