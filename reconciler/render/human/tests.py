"""Results of live tests as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.connection.failure import Stage
from reconciler.model.domain import with_a_label
from reconciler.probe.result import StageOutcome
from reconciler.render.terminal import pad, visible, width_of
from reconciler.wording import BLOCKS, NAMED, counted, listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.probe.drift import Recording
    from reconciler.probe.result import ConnectorResult, ProtocolResult
    from reconciler.render.terminal import Style


class ResultList:
    """Shows the results of a run one by one.

    A sentence that was shown for a few connectors is not repeated, and of very many results only the
    first are shown.
    """

    def __init__(self, style: Style) -> None:
        self._style = style
        self._said: Counter[str] = Counter()
        self._shown: Counter[bool] = Counter()

    def text(self, result: ConnectorResult, *, width: int = 0) -> str:
        """One result; empty if too many were already shown."""
        self._shown[result.passed] += 1
        if self._shown[result.passed] > BLOCKS:
            return ""
        return result_text(result, self._style, width=width, news=self._is_news)

    def _is_news(self, sentence: str) -> bool:
        self._said[sentence] += 1
        return self._said[sentence] <= NAMED

    def end(self) -> str:
        """How many were not shown; empty if none."""
        left = {passed: count - BLOCKS for passed, count in self._shown.items() if count > BLOCKS}
        words = [
            f"{left[passed]} more {word}"
            for passed, word in ((True, "passed"), (False, "failed"))
            if passed in left
        ]
        return f"  … and {' and '.join(words)}. JSON lists each." if words else ""


def _always(_: str) -> bool:
    return True


def result_text(
    result: ConnectorResult, style: Style, *, width: int = 0, news: Callable[[str], bool] = _always
) -> str:
    """One connector: a line for each protocol, and the remedy for a failed one.

    Only sentences in ``news`` are written.
    """
    name = pad(result.connector, max(width, width_of(result.connector)))
    blank = pad("", width_of(name))
    lines = []
    for number, protocol in enumerate(result.protocols):
        lines.append(f"  {name if not number else blank}  {_protocol(protocol, style)}")
        lines += [f"      test mail {text}" for text in _test_mail(protocol)]
        failed = protocol.failed
        if failed is not None and failed.failure is not None:
            if news(failed.failure.cause):
                lines.append(f"      {visible(failed.failure.cause)}")
            if failed.failure.reply:
                lines.append(style.faint(f"      the server said: {failed.failure.reply}"))
            if failed.failure.server_text:
                lines.append(style.faint(f"      word for word: {failed.failure.server_text}"))
            if news(failed.failure.remedy):
                lines.append(f"      {visible(failed.failure.remedy)}")
    warnings = (stage.warning for protocol in result.protocols for stage in protocol.stages)
    lines += [
        f"      {style.changed('Warning:')} {visible(text)}."
        for text in dict.fromkeys(warnings)
        if text and news(text)
    ]
    return "\n".join(lines)


def failures_text(results: tuple[ConnectorResult, ...], style: Style) -> str:
    """The failures, and the count of all."""
    failed = [item for item in results if not item.passed]
    width = max((width_of(item.connector) for item in failed), default=0)
    shown = ResultList(style)
    lines = [text for item in failed if (text := shown.text(item, width=width))]
    end = shown.end()
    return "\n".join([*lines, *([end] if end else []), summary(results)])


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
    """Count them: ``5 passed, 1 rejected, 1 unreachable.``, in the terms of the settings form."""
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
