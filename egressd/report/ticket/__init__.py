"""Self-contained reports: for a ticket (Markdown), a browser (HTML), a spreadsheet (CSV), CI (JUnit).

Text from the network stays text in each of them: no markup, links, images or formulas.
"""
