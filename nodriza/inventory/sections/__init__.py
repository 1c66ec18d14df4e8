"""The sections of an inventory, as they are written: one module a key of the file.

Each key is explained by the ``description`` of its field, and nowhere else: the JSON Schema,
``fab inventory.keys`` and the documentation's reference read it there. The shape, the least and
most, and the default come from the field itself. A new section is a module here and a field of
``nodriza.inventory.model``: of ``Sections``, if roles read it as it is written.
"""
