"""What apt is configured to use: apt.conf, sources, mirror lists and proxies."""
