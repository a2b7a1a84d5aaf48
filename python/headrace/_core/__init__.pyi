from . import cache as cache
from . import client as client
from . import clock as clock
from . import cost as cost
from . import doctor as doctor
from . import embed as embed
from . import gateway as gateway
from . import guard as guard
from . import load as load
from . import provider as provider
from . import queue as queue
from . import verify as verify

__version__: str
