"""An agent watched by OpenLLMetry: traceloop-sdk with its decorators. Sends to TRACELOOP_BASE_URL. run.py starts it."""
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import agent, tool

import work

Traceloop.init(app_name="shop")


@tool(name="lookup_order")
def lookup_order(order, note):
    return work.lookup_order(order, note)


@agent(name="support")
def support(question):
    return work.answer(work.model(), lambda name, arguments, call_id: lookup_order(**arguments), question)


print(support(work.QUESTION))
