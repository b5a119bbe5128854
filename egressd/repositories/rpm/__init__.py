"""What dnf, yum and zypper are configured to use: repository files, variables and proxies."""
