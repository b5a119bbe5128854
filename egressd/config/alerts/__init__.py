"""The keys `alerts:` and `notify:`: when something is an alert, and where notifications go."""
