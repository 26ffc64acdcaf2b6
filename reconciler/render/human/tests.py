"""Results of live tests as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.connection.failure import Stage
from reconciler.model.domain import with_a_label
from reconciler.probe.result import StageOutcome
from reconciler.render.terminal import pad, visible, width_of
from reconciler.wording import counted, listed

if TYPE_CHECKING:
    from reconciler.probe.drift import Recording
    from reconciler.probe.result import ConnectorResult, ProtocolResult
    from reconciler.render.terminal import Style


def result_text(result: ConnectorResult, style: Style, *, width: int = 0) -> str:
    """One connector: a line for each protocol, and what to do where one failed."""
    name = pad(result.connector, max(width, width_of(result.connector)))
    blank = pad("", width_of(name))
    lines = []
    for number, protocol in enumerate(result.protocols):
        lines.append(f"  {name if not number else blank}  {_protocol(protocol, style)}")
        lines += [f"      test mail {text}" for text in _test_mail(protocol)]
        failed = protocol.failed
        if failed is not None and failed.failure is not None:
            lines.append(f"      {visible(failed.failure.cause)}")
            if failed.failure.reply:
                lines.append(style.faint(f"      the server said: {failed.failure.reply}"))
            if failed.failure.server_text:
                lines.append(style.faint(f"      word for word: {failed.failure.server_text}"))
            lines.append(f"      {visible(failed.failure.remedy)}")
    warnings = (stage.warning for protocol in result.protocols for stage in protocol.stages)
    lines += [
        f"      {style.changed('Warning:')} {visible(text)}."
        for text in dict.fromkeys(warnings)
        if text
    ]
    return "\n".join(lines)


def failures_text(results: tuple[ConnectorResult, ...], style: Style) -> str:
    """Those that failed, and the count of all."""
    failed = [item for item in results if not item.passed]
    width = max((width_of(item.connector) for item in failed), default=0)
    return "\n".join(
        [*(result_text(item, style, width=width) for item in failed), summary(results)]
    )


def _test_mail(protocol: ProtocolResult) -> tuple[str, ...]:
    """The delivery of the test mail, if one was sent and nothing failed."""
    return tuple(
        stage.detail
        for stage in protocol.stages
        if stage.stage is Stage.DELIVERY and stage.outcome is StageOutcome.OK
    )


def _protocol(protocol: ProtocolResult, style: Style) -> str:
    place = f"{with_a_label(protocol.host)}:{protocol.port}"
    failed = protocol.failed
    if failed is None:
        place += " (redirected)" if protocol.via else ""
        done = [item for item in protocol.stages if item.outcome is StageOutcome.OK]
        seconds = sum(item.seconds for item in protocol.stages)
        deepest = done[-1].stage if done else "nothing"
        return f"{style.added('ok')}      {protocol.protocol} {place} to {deepest}, {seconds * 1000:.0f} ms"
    place += f" (redirected to {protocol.via})" if protocol.via else ""
    error_class = failed.failure.error_class if failed.failure else "internal"
    return (
        f"{style.removed('failed')}  {protocol.protocol} {place} at {failed.stage}:"
        f" {style.strong(error_class)}"
    )


def summary(results: tuple[ConnectorResult, ...]) -> str:
    """Count them: ``5 passed, 1 rejected, 1 unreachable.``, ending in the words of the settings form."""
    passed = sum(item.passed for item in results)
    unreachable = sum(item.unreachable for item in results)
    rejected = len(results) - passed - unreachable
    parts = [f"{passed} passed"]
    if rejected:
        parts.append(f"{rejected} rejected")
    if unreachable:
        parts.append(f"{unreachable} unreachable")
    end = " Connection test succeeded." if passed == len(results) else ""
    return f"Tested {len(results)}: {', '.join(parts)}.{end}"


def recording_text(recording: Recording) -> str:
    """Whether the state recorded the results, in lines; "" if there is nothing to report."""
    lines = []
    if recording.problem:
        lines.append(f"The results were not recorded: {recording.problem}.")
    elif recording.recorded:
        lines.append(f"Recorded {counted(recording.recorded, 'result')} in the state.")
    if recording.others and not recording.problem:
        names = listed(recording.others)
        lines.append(f"Not recorded, because the state has another version of them: {names}.")
    if recording.shallow and not recording.problem:
        lines.append("Passed tests were not recorded, because this depth proves too little.")
    return "\n".join(lines)
