"""Rules for people and programs: names stand in them as they are asked for."""
