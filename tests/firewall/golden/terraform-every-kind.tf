# egressd: 28 rules to ask for.
# What failed from probe.corp.example at 2026-11-29T10:15:00.000Z (run 20261129T101500Z-1).
# Profiles: resource-bridge, connected-machine; cloud public, region westeurope; catalog of 2026-11-29.
# For an Azure Firewall policy, for Terraform (azurerm); its forms are from the azurerm page of
# azurerm_firewall_policy_rule_collection_group (API 2024-05-01) and the Azure Firewall FAQ of 2022-09-12. Not
# tried on a device: review it first.
# One-label wildcards pass deeper names as well; network rules know no wildcards.
# Network rules with names work only with the DNS proxy of the policy turned on.
# Network rules are judged before application rules, whatever the priorities.
# Let nothing else be in the rule collection group of this name, and give it a priority of its own.
# Service tags are in a group of their own that is off: they pass far more than the hosts.
# Azure Firewall knows no IPv6: the source 2001:db8::11 is left out.
# Sources are not known: put their addresses into the parameter for host addresses.
# interface eth1 is no address: put its addresses into the parameter for host addresses.
# proxy.corp.example is no address: put its addresses into the parameter for proxy addresses.
# *.his.arc.azure.com tcp/443: names with more labels before his.arc.azure.com pass as well.
# azgn*.servicebus.windows.net tcp/443: azgn*.servicebus.windows.net cannot be said: every name under
# servicebus.windows.net passes.
# gas*.example.net tcp/443: gas*.example.net cannot be said: only the hosts of it that failed are in
# (gas-a.example.net, gas-b.example.net).
# 10.30.0.1 icmp: Azure Firewall passes ICMP between networks, not to the Internet.
# *.exempt.example.net tcp/443: names with more labels before exempt.example.net pass as well.
# Left out (Azure Firewall knows no IPv6: every source is left out): six.example.net tcp/443, 2001:db8:7::7
# tcp/22.
# *.tcp.example.net tcp/1433: left out (the device has no wildcards, so *.tcp.example.net cannot be said).
# vmm.corp.example tcp/5001-65535: left out (where connections come from is compared with addresses, not with
# names).
# <control_plane> tcp/22: left out (<control_plane> stands for a name of yours: give its value).
# *.at.example.net tcp/443: left out (this is for the policy of the proxy http://proxy.corp.example:3128
# itself).
# gw.example.net tcp/443: left out (no rule is needed: the Azure Arc gateway https://contoso.gw.arc.azure.com
# forwards it).
# resolve.example.net tcp/443: left out (it is for the DNS team: the name must be answered as public DNS does).

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

variable "egressd_allow_service_tags" {
  type        = bool
  description = "Whether to allow the service tags as well: far more than the hosts"
  default     = false
}

resource "azurerm_firewall_policy_rule_collection_group" "egressd" {
  name               = "egressd-20261129t101500z-1-5e6aff"
  firewall_policy_id = var.egressd_firewall_policy_id
  priority           = var.egressd_priority

  application_rule_collection {
    name     = "egressd-no-inspection"
    priority = 100
    action   = "Allow"

    rule {
      name              = "optional-https-443-no-inspection"
      description       = "For Web"
      source_addresses  = ["10.20.0.11", "10.20.0.12"]
      destination_fqdns = ["*.exempt.example.net"]
      terminate_tls     = false

      protocols {
        type = "Https"
        port = 443
      }
    }
  }

  network_rule_collection {
    name     = "egressd-network"
    priority = 200
    action   = "Allow"

    rule {
      name                  = "optional-tcp-443"
      description           = "For Web"
      source_addresses      = ["10.20.0.11", "10.20.0.12"]
      protocols             = ["TCP"]
      destination_ports     = ["443"]
      destination_addresses = ["198.51.100.7"]
    }

    rule {
      name              = "required-udp-123"
      description       = "For Other"
      source_addresses  = ["10.20.0.11", "10.20.0.12"]
      protocols         = ["UDP"]
      destination_ports = ["123"]
      destination_fqdns = ["time.windows.com"]
    }

    rule {
      name                  = "required-udp-53"
      description           = "For Other"
      source_addresses      = ["10.20.0.11", "10.20.0.12"]
      protocols             = ["UDP"]
      destination_ports     = ["53"]
      destination_addresses = ["10.0.0.53"]
    }

    rule {
      name                  = "required-tcp-53"
      description           = "For Other"
      source_addresses      = ["10.20.0.11", "10.20.0.12"]
      protocols             = ["TCP"]
      destination_ports     = ["53"]
      destination_addresses = ["10.0.0.53"]
    }

    rule {
      name                  = "optional-icmp"
      description           = "For Other"
      source_addresses      = ["10.20.0.11", "10.20.0.12"]
      protocols             = ["ICMP"]
      destination_ports     = ["*"]
      destination_addresses = ["10.30.0.1"]
    }

    rule {
      name                  = "optional-tcp-6443-inbound"
      description           = "For Other"
      source_addresses      = ["10.40.0.9"]
      protocols             = ["TCP"]
      destination_ports     = ["6443"]
      destination_addresses = ["10.20.0.11", "10.20.0.12"]
    }

    rule {
      name              = "optional-tcp-3128-to-proxy"
      description       = "For Other"
      source_addresses  = ["10.20.0.11", "10.20.0.12"]
      protocols         = ["TCP"]
      destination_ports = ["3128"]
      destination_fqdns = ["proxy.corp.example"]
    }
  }

  application_rule_collection {
    name     = "egressd-application"
    priority = 300
    action   = "Allow"

    rule {
      name              = "required-https-443"
      description       = "For Web"
      source_addresses  = ["10.20.0.11", "10.20.0.12"]
      destination_fqdns = ["mcr.microsoft.com", "*.his.arc.azure.com", "*.servicebus.windows.net"]

      protocols {
        type = "Https"
        port = 443
      }
    }

    rule {
      name              = "optional-https-443"
      description       = "For Web"
      source_addresses  = ["10.20.0.11", "10.20.0.12"]
      destination_fqdns = ["gas-a.example.net", "gas-b.example.net", "*service.waconazure.com", "both.example.net"]

      protocols {
        type = "Https"
        port = 443
      }
    }

    rule {
      name              = "optional-http-80"
      description       = "For Web"
      source_addresses  = ["10.20.0.11", "10.20.0.12"]
      destination_fqdns = ["*.dl.delivery.mp.microsoft.com", "dl.delivery.mp.microsoft.com"]

      protocols {
        type = "Http"
        port = 80
      }
    }

    rule {
      name              = "optional-https-10124-10139"
      description       = "For Web"
      source_addresses  = ["10.20.0.11", "10.20.0.12"]
      destination_fqdns = ["cloud.example.net"]

      protocols {
        type = "Https"
        port = 10124
      }

      protocols {
        type = "Https"
        port = 10125
      }

      protocols {
        type = "Https"
        port = 10126
      }

      protocols {
        type = "Https"
        port = 10127
      }

      protocols {
        type = "Https"
        port = 10128
      }

      protocols {
        type = "Https"
        port = 10129
      }

      protocols {
        type = "Https"
        port = 10130
      }

      protocols {
        type = "Https"
        port = 10131
      }

      protocols {
        type = "Https"
        port = 10132
      }

      protocols {
        type = "Https"
        port = 10133
      }

      protocols {
        type = "Https"
        port = 10134
      }

      protocols {
        type = "Https"
        port = 10135
      }

      protocols {
        type = "Https"
        port = 10136
      }

      protocols {
        type = "Https"
        port = 10137
      }

      protocols {
        type = "Https"
        port = 10138
      }

      protocols {
        type = "Https"
        port = 10139
      }
    }

    rule {
      name              = "optional-https-443-2"
      description       = "For Web"
      source_addresses  = var.egressd_host_addresses
      destination_fqdns = ["nobody.example.net", "eth.example.net"]

      protocols {
        type = "Https"
        port = 443
      }
    }

    rule {
      name              = "optional-https-443-from-proxy"
      description       = "For Web"
      source_addresses  = var.egressd_proxy_addresses
      destination_fqdns = ["from.example.net"]

      protocols {
        type = "Https"
        port = 443
      }
    }
  }
}

resource "azurerm_firewall_policy_rule_collection_group" "egressd_service_tags" {
  count = var.egressd_allow_service_tags ? 1 : 0

  name               = "egressd-20261129t101500z-1-5e6aff-tags"
  firewall_policy_id = var.egressd_firewall_policy_id
  priority           = var.egressd_priority + 1

  network_rule_collection {
    name     = "egressd-service-tags"
    priority = 100
    action   = "Allow"

    rule {
      name                  = "required-https-443-tags"
      description           = "For Web"
      source_addresses      = ["10.20.0.11", "10.20.0.12"]
      protocols             = ["TCP"]
      destination_ports     = ["443"]
      destination_addresses = ["MicrosoftContainerRegistry"]
    }
  }

  depends_on = [azurerm_firewall_policy_rule_collection_group.egressd]
}
