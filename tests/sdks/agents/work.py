"""The work that every Python agent here does, whatever watches it: it asks the model, calls the tool that the model asks
for, and goes on until there is an answer. Not run by itself; the agents beside it import it. The address of the scripted
model comes in MODEL_URL, the seconds that the tool takes in TOOL_S, and which of openai's ways to use in API."""
import json
import os
import time

import openai

MODEL = "gpt-4o-mini"
QUESTION = "Where is my order?"
TOOL = {"name": "lookup_order", "description": "Says where an order is.",
        "parameters": {"type": "object", "properties": {"order": {"type": "string"}, "note": {"type": "string"}}}}


def model(make=openai.OpenAI):
    """A client of the scripted model. `make` is the class that a client wraps or replaces."""
    return make(base_url=os.environ["MODEL_URL"], api_key="none", max_retries=0)


def lookup_order(order, note):
    time.sleep(float(os.environ["TOOL_S"]))
    return {"order": order, "state": "shipped"}


def by_chat(client, call_tool, question):
    messages = [{"role": "user", "content": question}]
    while True:
        reply = client.chat.completions.create(model=MODEL, messages=messages,
                                               tools=[{"type": "function", "function": TOOL}]).choices[0].message
        if not reply.tool_calls:
            return reply.content
        messages.append({"role": "assistant", "content": reply.content,
                         "tool_calls": [call.model_dump(exclude_none=True) for call in reply.tool_calls]})
        for call in reply.tool_calls:
            result = call_tool(call.function.name, json.loads(call.function.arguments), call.id)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})


def by_streamed_chat(client, call_tool, question):
    messages = [{"role": "user", "content": question}]
    while True:
        text, calls = "", {}
        for chunk in client.chat.completions.create(model=MODEL, messages=messages, stream=True,
                                                    stream_options={"include_usage": True},
                                                    tools=[{"type": "function", "function": TOOL}]):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for part in choice.delta.tool_calls or []:
                    call = calls.setdefault(part.index, {"id": part.id, "type": "function",
                                                         "function": {"name": part.function.name, "arguments": ""}})
                    call["function"]["arguments"] += part.function.arguments or ""
        if not calls:
            return text
        messages.append({"role": "assistant", "content": None, "tool_calls": list(calls.values())})
        for call in calls.values():
            result = call_tool(call["function"]["name"], json.loads(call["function"]["arguments"]), call["id"])
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)})


def by_responses(client, call_tool, question):
    items = [{"role": "user", "content": question}]
    while True:
        reply = client.responses.create(model=MODEL, input=items, tools=[{"type": "function", **TOOL}])
        calls = [item for item in reply.output if item.type == "function_call"]
        if not calls:
            return reply.output_text
        for call in calls:
            items.append({"type": "function_call", "call_id": call.call_id, "name": call.name,
                          "arguments": call.arguments})
            result = call_tool(call.name, json.loads(call.arguments), call.call_id)
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": json.dumps(result)})


def answer(client, call_tool, question=QUESTION):
    """The model's last words. `call_tool(name, arguments, call_id)` does a tool call, and tells whoever watches."""
    ways = {"chat": by_chat, "stream": by_streamed_chat, "responses": by_responses}
    return ways[os.environ["API"]](client, call_tool, question)
