"""What an explicit proxy adds to judging: two paths compared, and the questions to ask through it."""
