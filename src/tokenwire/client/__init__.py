"""The twin of the hooks, for Python programs: connection adapters, and the chats that use them.

>>> adapter = fetch_server_sent_events("http://localhost:8000/api/chat")
>>> async for chunk in adapter.connect([{"role": "user", "content": "Hello"}]):
...     print(chunk["type"], chunk.get("delta", ""))
"""

from ..wire.reading import Chunk
from .abort import DETACHED, AbortController, AbortSignal
from .ask import ask, ask_sync
from .callbacks import Callbacks
from .cancel import cancel_run
from .chat import ChatClient
from .connection import (
    ConnectConnectionAdapter,
    ConnectionAdapter,
    Hydration,
    RunContext,
    SubscribeConnectionAdapter,
    normalize,
)
from .errors import (
    ClientError,
    ConnectionLostError,
    DurableStreamIncompleteError,
    HttpError,
    ProtocolError,
    RunFailed,
    StreamReconnectLimitError,
    TruncatedStreamError,
)
from .fetch import FetchClient, FetchRequest, FetchResponse, fetch, fetch_with
from .http import fetch_http_stream, fetch_server_sent_events
from .interrupts import Interrupt, InterruptState, Resolution, ResumeState
from .messages import UIMessage
from .options import FetchOptions, Limits, Reconnect, WebSocketOptions
from .parts import (
    Approval,
    AudioPart,
    DocumentPart,
    ImagePart,
    OtherPart,
    Part,
    Source,
    StructuredOutputPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
    UIResourcePart,
    VideoPart,
)
from .queue import MessageContent, QueuedMessage, QueuePolicy
from .rais import RaisClient, RaisMessage
from .rais_connection import fetch_rais, rais_web_socket
from .retry import retrying
from .state import ConnectionStatus, Snapshot, Status
from .strategies import (
    BatchStrategy,
    ChunkStrategy,
    CompositeStrategy,
    ImmediateStrategy,
    PunctuationStrategy,
    WordBoundaryStrategy,
)
from .streams import rpc_stream, stream
from .sync import SyncChatClient
from .tools import ClientTool, tool
from .web_socket import web_socket

__all__ = [
    "DETACHED",
    "AbortController",
    "AbortSignal",
    "Approval",
    "AudioPart",
    "BatchStrategy",
    "Callbacks",
    "ChatClient",
    "Chunk",
    "ChunkStrategy",
    "ClientError",
    "ClientTool",
    "CompositeStrategy",
    "ConnectConnectionAdapter",
    "ConnectionAdapter",
    "ConnectionLostError",
    "ConnectionStatus",
    "DocumentPart",
    "DurableStreamIncompleteError",
    "FetchClient",
    "FetchOptions",
    "FetchRequest",
    "FetchResponse",
    "HttpError",
    "Hydration",
    "ImagePart",
    "ImmediateStrategy",
    "Interrupt",
    "InterruptState",
    "Limits",
    "MessageContent",
    "OtherPart",
    "Part",
    "ProtocolError",
    "PunctuationStrategy",
    "QueuePolicy",
    "QueuedMessage",
    "RaisClient",
    "RaisMessage",
    "Reconnect",
    "Resolution",
    "ResumeState",
    "RunContext",
    "RunFailed",
    "Snapshot",
    "Source",
    "Status",
    "StreamReconnectLimitError",
    "StructuredOutputPart",
    "SubscribeConnectionAdapter",
    "SyncChatClient",
    "TextPart",
    "ThinkingPart",
    "ToolCallPart",
    "ToolResultPart",
    "TruncatedStreamError",
    "UIMessage",
    "UIResourcePart",
    "VideoPart",
    "WebSocketOptions",
    "WordBoundaryStrategy",
    "ask",
    "ask_sync",
    "cancel_run",
    "fetch",
    "fetch_http_stream",
    "fetch_rais",
    "fetch_server_sent_events",
    "fetch_with",
    "normalize",
    "rais_web_socket",
    "retrying",
    "rpc_stream",
    "stream",
    "tool",
    "web_socket",
]
