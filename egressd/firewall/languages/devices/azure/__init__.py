"""Rules for Azure Firewall policies: one model, written as an ARM template, as Bicep and for Terraform."""
