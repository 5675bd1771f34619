"""What the official Python client makes of `/v1`: prints one JSON object. Arguments: base URL, key."""

import json
import sys

import openai
from openai import OpenAI

base_url, api_key = sys.argv[1:3]
client = OpenAI(base_url=base_url, api_key=api_key, max_retries=0)
question = [{"role": "user", "content": "Hi"}]
tool = {"type": "function", "function": {"name": "find_weather", "parameters": {"type": "object"}}}
seen = {"version": openai.__version__}


def refused(call):
    try:
        call()
    except openai.APIError as error:
        return [type(error).__name__, getattr(error, "status_code", None), error.code, error.param]
    return None


plain = client.chat.completions.create(model="sim/words:3", messages=question)
seen["plain"] = [plain.choices[0].message.content, plain.choices[0].finish_reason, plain.model, plain.usage.prompt_tokens]

stream = client.chat.completions.create(
    model="sim/words:3", messages=question, stream=True, stream_options={"include_usage": True}
)
chunks = list(stream)
seen["stream"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
seen["ends"] = [chunks[-2].choices[0].finish_reason, chunks[-1].usage.prompt_tokens, len(chunks[-1].choices)]

with client.chat.completions.stream(model="sim/tools:2", messages=question, tools=[tool]) as tools:
    for _ in tools:
        pass
    final = tools.get_final_completion()
seen["tools"] = [json.loads(call.function.arguments)["city"] for call in final.choices[0].message.tool_calls]

seen["models"] = [model.id for model in client.models.list()][:1] + [client.models.retrieve("sim/words:3").id]
seen["reasoning"] = client.chat.completions.create(
    model="sim/reasoning", messages=question
).choices[0].message.reasoning_content

with client.chat.completions.create(model="sim/stall-mid:2", messages=question, stream=True) as left:
    next(iter(left))


def read_broken():
    for _ in client.chat.completions.create(model="sim/err-mid:2", messages=question, stream=True):
        pass


wrong_key = OpenAI(base_url=base_url, api_key="sk-wrong", max_retries=0)
seen["errors"] = {
    "model": refused(lambda: client.chat.completions.create(model="gpt-17", messages=question)),
    "key": refused(lambda: wrong_key.models.list()),
    "field": refused(lambda: client.chat.completions.create(model="auto", messages=question, n=2)),
    "context": refused(lambda: client.chat.completions.create(model="sim/400-context", messages=question)),
    "broken": refused(read_broken),
    "refused": refused(lambda: client.chat.completions.create(model="sim/500", messages=question)),
}
print(json.dumps(seen))
