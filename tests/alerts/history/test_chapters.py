"""A story in chapters answers as the whole story does, whatever happened and whatever is asked."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from triggerdev_alerts.history.chapters import ChapterSignals
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import QueueSight, Story, StoryRun, StorySchedule, TargetStory
from triggerdev_alerts.instants import DAY, HOUR, MINUTE
from triggerdev_alerts.signals import ENDINGS, SIGNALS, Question, Where

NOON = 1_767_614_400_000
REACH = 2 * HOUR
SPAN = 30  # hours

minutes = st.integers(-60 * 40, 60 * SPAN)


@st.composite
def runs(draw: st.DrawFn) -> StoryRun:
    created = NOON + draw(minutes) * MINUTE
    wait, duration = draw(st.integers(-1, 90)), draw(st.integers(0, 300))
    started = draw(st.none() | st.just(created + wait * MINUTE))
    ends = draw(st.booleans())
    finished = (started or created) + duration * MINUTE if ends else None
    late = draw(st.none() | st.integers(0, 200))
    return StoryRun(
        id=str(draw(st.integers())),
        task=draw(st.sampled_from("ab")),
        status=draw(st.sampled_from(ENDINGS)) if ends else "EXECUTING",
        created=created,
        started=started,
        finished=finished,
        visible_at=None if late is None else created + late * MINUTE,
        queue="q",
        is_test=draw(st.booleans()),
    )


sights = st.builds(
    lambda at, depth, gone: QueueSight(queue="q", at=NOON + at * MINUTE, depth=depth, gone=gone),
    minutes,
    st.integers(0, 9),
    st.booleans(),
)
stories = st.builds(
    lambda runs, queues, crons: Story(
        start=NOON,
        targets=(
            TargetStory(
                name="prod",
                runs=tuple(runs),
                queues=tuple({sight.at: sight for sight in queues}.values()),
                schedules=tuple(
                    StorySchedule(id=str(n), task="a", cron=cron, known_since=NOON - 2 * DAY)
                    for n, cron in enumerate(crons)
                ),
            ),
        ),
    ),
    st.lists(runs(), max_size=15),
    st.lists(sights, max_size=5),
    st.lists(st.sampled_from(["0 */3 * * *", "30 6 * * *"]), max_size=2),
)
QUESTIONS = [
    Question(
        row.name,
        tuple(dimension for dimension in row.dimensions if dimension != "tag")[:1],
        window=HOUR if row.windowed else None,
        ago=ago,
        statuses=statuses,
        older_than=older_than,
        quantile=0.5,
        times=2.0,
        grace=5 * MINUTE,
        early=MINUTE,
        where=Where(include_test=include_test),
    )
    for row in SIGNALS.values()
    for ago, older_than, include_test in ((0, 0, False), (HOUR - MINUTE if row.windowed else 0, HOUR, True))
    for statuses in (("COMPLETED", "EXECUTING"), ("FAILED", "QUEUED"))
    if row.name != "runs_slow"  # its day reaches further than this test's two hours
]


@settings(max_examples=60, deadline=None)
@given(stories, st.lists(st.integers(0, 60 * SPAN), min_size=1, max_size=4))
def test_chapters_leave_nothing_out_that_matters(story: Story, looks: list[int]) -> None:
    whole, chapters = StorySignals(story), ChapterSignals(story, REACH)
    for look in sorted(looks):
        at = NOON + look * MINUTE
        whole.look(at)
        chapters.look(at)
        for question in QUESTIONS:
            assert chapters.read(question, "prod", at) == whole.read(question, "prod", at), (question, look)


def test_a_chapter_holds_a_small_part_of_a_long_story() -> None:
    runs = tuple(
        StoryRun(id=str(n), task="a", status="COMPLETED", created=at, started=at, finished=at, queue="task/a")
        for n, at in enumerate(range(NOON, NOON + 7 * DAY, 10 * MINUTE))
    )
    signals = ChapterSignals(Story(start=NOON, targets=(TargetStory(name="prod", runs=runs),)), REACH)
    signals.look(NOON + 3 * DAY)
    question = Question("runs_finished", window=HOUR, statuses=ENDINGS)
    assert dict(signals.read(question, "prod", NOON + 3 * DAY).values) == {(): 6}
    (chapter,) = signals._signals._story.targets
    assert len(chapter.runs) < 30
