"""The keys `alerts:` and `notify:`: when something is an alert, and whom the daemon tells."""
