"""Sphinx's settings. Everything that the site shows comes with it: no fonts, no CDN."""

import importlib.metadata

project = "nodriza"
release = importlib.metadata.version("nodriza")
html_title = "nodriza"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
extensions = ["docs.site.links"]
smartquotes = False  # --flag is typed with two hyphens
root_doc = "index"
# A page is read where it lies, too: it has the code in it, and says in which language.
highlight_language = "none"
# A template of nginx's has Jinja in it, and is shown in nginx's colours all the same.
suppress_warnings = ["misc.highlighting_failure"]
