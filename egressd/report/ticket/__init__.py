"""Self-contained reports for a ticket (Markdown), a browser (HTML) and a CI server (JUnit).

Text from the network stays text in each of them: no markup, links, images or formulas.
"""
