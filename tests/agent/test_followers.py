"""Slow readers of a fast source."""

import asyncio

import pytest

from connector.agent.followers import MAX_FOLLOWERS, MAX_QUEUED, Follower, Followers
from connector.domain.errors import Overflow


async def rest_of(follower: Follower) -> list[object]:
    return [dict(record) async for record in follower]


async def test_each_follower_gets_what_comes_after_it() -> None:
    followers = Followers()
    followers.publish({"n": 0})
    first = followers.follow()
    followers.publish({"n": 1})
    second = followers.follow()
    followers.publish({"n": 2})
    followers.end()
    assert await rest_of(first) == [{"n": 1}, {"n": 2}]
    assert await rest_of(second) == [{"n": 2}]


async def test_a_waiting_follower_wakes() -> None:
    followers = Followers()
    follower = followers.follow()
    waiting = asyncio.create_task(anext(follower))
    await asyncio.sleep(0)
    assert not waiting.done()
    followers.publish({"n": 1})
    assert await waiting == {"n": 1}


async def test_a_slow_follower_loses_the_oldest_and_is_told_how_many() -> None:
    followers = Followers()
    follower = followers.follow()
    for n in range(MAX_QUEUED + 3):
        followers.publish({"n": n})
    followers.end()
    records = await rest_of(follower)
    assert records[:2] == [{"lost": 3}, {"n": 3}]
    assert records[-1] == {"n": MAX_QUEUED + 2}
    assert len(records) == MAX_QUEUED + 1


async def test_too_many_followers_are_refused_until_one_leaves() -> None:
    followers = Followers()
    following = [followers.follow() for _ in range(MAX_FOLLOWERS)]
    with pytest.raises(Overflow):
        followers.follow()
    following[0].close()
    following[0].close()
    assert len(followers) == MAX_FOLLOWERS - 1
    followers.follow()


async def test_who_comes_after_the_end_ends_at_once() -> None:
    followers = Followers()
    followers.end()
    assert await rest_of(followers.follow()) == []
