"""What a load run asks: seeded requests with the answer known.

`ESG` is an endless stream of questions as an ESG department asks them. Each `Request` carries an ``answer_key``: two
requests with the same key are rightly served by one answer, two with different keys never are.

Example:
    >>> from headrace.workload import ESG
    >>> first, second = ESG(seed=7).take(2)
    >>> first == ESG(seed=7).take(1)[0]
    True
"""

from __future__ import annotations

from headrace._core.load import ESG, Request

__all__ = ["ESG", "Request"]
