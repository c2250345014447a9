# SPDX-License-Identifier: Apache-2.0
"""The words inside documents, read in confined children (docs/decisions/0051-text-search.md).

``reader`` is the side that asks, in the process that holds the vault; ``ocr`` has tesseract read pictures. ``job`` and
``pictures``, and what they use, ``found``, ``encodings``, ``markup``, ``packages``, ``office``, ``mail``, ``pdf``, and
for older formats ``ole``, ``doc``, ``xls``, ``ppt``, ``msg``, ``rtf`` and ``blips``, run in confined children only.
They bring no key, open no file, and what they answer is text that nobody vouches for.
"""
