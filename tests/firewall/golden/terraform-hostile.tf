# egressd: 12 rules to ask for.
# What failed from probe.corp.example at 2026-11-29T10:15:00.000Z (run 20261129T101500Z-1).
# Profiles: resource-bridge, connected-machine; cloud public, region westeurope; catalog of 2026-11-29.
# For an Azure Firewall policy, for Terraform (azurerm); its forms are from the azurerm page of
# azurerm_firewall_policy_rule_collection_group (API 2024-05-01) and the Azure Firewall FAQ of 2022-09-12. Not
# tried on a device: review it first.
# One-label wildcards pass deeper names as well; network rules know no wildcards.
# Network rules with names work only with the DNS proxy of the policy turned on.
# Network rules are judged before application rules, whatever the priorities.
# Let nothing else be in the rule collection group of this name, and give it a priority of its own.
# x ; y ${z} %{z} $(reboot) id */ end config system admin # [concat( a )] is no address: put its addresses into
# the parameter for host addresses.
# x ; y ${z} %{z} $(reboot) id */ end config system admin # [concat( a )] is no address: put its addresses into
# the parameter for proxy addresses.
# fe80::1%eth0 ${z} is no address: put its addresses into the parameter for host addresses.
# a*.example.net tcp/443: a*.example.net cannot be said: every name under example.net passes.
# x ; y ${z} %{z} $(reboot) id */ end config system admin # [concat( a )] tcp/443: left out ( x ; y ${z} %{z}
# $(reboot) id */ nend nconfig system admin n# [concat( a )] xe9 u2028 is neither a host name nor an address).
# c.example.net tcp/443: left out (this is for the policy of the proxy x ; y ${z} %{z} $(reboot) id */ end
# config system admin # [concat( a )] itself).
# fe80::1%x ${z} tcp/443: left out ( fe80::1%x ${z} is neither a host name nor an address).
# * tcp/443: left out (* has no domain behind its *).
# *.*.example.net tcp/443: left out (*.*.example.net has a * behind the first label).
# tcp/443: left out ( is neither a host name nor an address).

variable "egressd_firewall_policy_id" {
  type        = string
  description = "The id of the policy that the rules go into"
}

variable "egressd_priority" {
  type        = number
  description = "Of the rule collection group; lower numbers are judged first"
  default     = 500
}

variable "egressd_host_addresses" {
  type        = list(string)
  description = "Addresses of the hosts whose source address is not known"
}

variable "egressd_proxy_addresses" {
  type        = list(string)
  description = "Addresses that the proxy connects from"
}

resource "azurerm_firewall_policy_rule_collection_group" "egressd" {
  name               = "egressd-20261129t101500z-1-5e6aff"
  firewall_policy_id = var.egressd_firewall_policy_id
  priority           = var.egressd_priority

  application_rule_collection {
    name     = "egressd-application"
    priority = 300
    action   = "Allow"

    rule {
      name              = "optional-https-443"
      description       = "For x'; \"y\" $${z} %%{z} $(reboot) `id` */ ? end config system admin # \\ [concat('a')]"
      source_addresses  = ["10.20.0.11"]
      destination_fqdns = ["good.example.net"]

      protocols {
        type = "Https"
        port = 443
      }
    }

    rule {
      name              = "optional-https-443-2"
      description       = "For x'; \"y\" $${z} %%{z} $(reboot) `id` */ ? end config system admin # \\ [concat('a')]; Web"
      source_addresses  = var.egressd_host_addresses
      destination_fqdns = ["good.example.net", "d.example.net"]

      protocols {
        type = "Https"
        port = 443
      }
    }

    rule {
      name              = "optional-https-443-3"
      description       = "For x'; \"y\" $${z} %%{z} $(reboot) `id` */ ? end config system admin # \\ [concat('a')]; [concat('evaluated')]"
      source_addresses  = ["10.20.0.11", "10.20.0.12"]
      destination_fqdns = ["*.example.net", "e.example.net", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy.zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz.example.net"]

      protocols {
        type = "Https"
        port = 443
      }
    }

    rule {
      name              = "optional-https-443-from-proxy"
      description       = "For Web"
      source_addresses  = var.egressd_proxy_addresses
      destination_fqdns = ["b.example.net"]

      protocols {
        type = "Https"
        port = 443
      }
    }
  }
}
