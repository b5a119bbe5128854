"""What the controls of a trail showed: contrasts, ClientHellos of other sizes, rising hop limits."""
