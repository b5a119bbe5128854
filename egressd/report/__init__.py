"""A sweep as text, JSON, CSV, Markdown, HTML and JUnit, and its exit code.

Reports are made from a sweep alone and are the same for the same sweep. Text from the network is shown, never
interpreted.
"""
