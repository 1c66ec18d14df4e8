"""The documentation as a site: ``make docs``.

The pages are plain reStructuredText, readable where they lie. What a site adds is made here:
the reference of commands and of the inventory's keys, each from its one source, and links
where a page names another page, a command or a key.
"""
