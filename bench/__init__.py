"""What this project costs, beside what people would use instead; see docs/performance.rst.

``make bench`` runs it. Nothing here is part of the product, or travels with it.
"""
