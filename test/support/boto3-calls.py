"""Calls Cloud Map by boto3: one call a line of stdin, one answer a line of stdout, both JSON.

Arguments: the endpoint, and `code` where the client is to leave the host prefix out by its own Config; with
`environment` it is told nothing, and whoever starts this sees to it.
"""

import json
import sys

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

endpoint, switch = sys.argv[1:]
client = boto3.client(
    "servicediscovery",
    endpoint_url=endpoint,
    config=Config(inject_host_prefix=False) if switch == "code" else None,
)


def classes_that_catch(error):
    """The modelled exceptions, by name, whose `except` clause would catch the error."""
    modelled = [shape.name for shape in client.meta.service_model.error_shapes]
    return [name for name in modelled if isinstance(error, getattr(client.exceptions, name))]


def answer(request):
    if "call" in request:
        return getattr(client, xform_name(request["call"]))(**request["input"])
    if "paginate" in request:
        paginator = client.get_paginator(xform_name(request["paginate"]))
        config = {"PageSize": request["pageSize"]}
        return list(paginator.paginate(**request["input"], PaginationConfig=config))
    operations = list(client.meta.service_model.operation_names)
    return {
        "operations": operations,
        "paginated": [name for name in operations if client.can_paginate(xform_name(name))],
        "settings": list(Session.SESSION_VARIABLES),
    }


for line in sys.stdin:
    try:
        reply = {"result": answer(json.loads(line))}
    except ClientError as error:
        reply = {"error": {"classes": classes_that_catch(error), "response": error.response}}
    except Exception as error:
        reply = {"failure": repr(error)}
    print(json.dumps(reply, default=lambda value: value.isoformat()), flush=True)
