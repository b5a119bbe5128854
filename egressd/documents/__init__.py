"""Lists of endpoints as others write them: one reader per format, and one value for what a row says.

Readers take text and give rows; nothing they read becomes code, a path or configuration by itself. Whoever
uses the rows checks them by the schema of what they become.
"""
