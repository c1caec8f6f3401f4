"""Domains whose facts stand in Redis already, as another node would have left them: answers without a question to anybody else.

Written by a script inside Redis, which is the fastest way to a million.
"""
import time

KEYS = "d%.bench.test"  # % is seven digits
PIECE = 20000

FACTS = """
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local d = string.format('d%07d.bench.test', i)
  redis.call('HSET', 'tlsmode:sts:' .. d, 'txt', 'none', 'txt_until', ARGV[3])
  redis.call('EXPIRE', 'tlsmode:sts:' .. d, 80000)
  redis.call('HSET', 'tlsmode:dane:' .. d, 'mx', 'secure', 'kind', 'records', 'until', ARGV[3], 'truncated', '0',
    'hosts', 'mx.' .. d .. ' ' .. ARGV[4] .. ' ' .. ARGV[3] .. ' -')
  redis.call('EXPIRE', 'tlsmode:dane:' .. d, 80000)
end
"""
POLICY = """
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local d = string.format('d%07d.bench.test', i)
  redis.call('HSET', 'tlsmode:sts:' .. d, 'txt', 'record', 'txt_id', '1', 'txt_until', ARGV[3], 'mode', 'enforce', 'max_age', '604800',
    'mx', ARGV[4], 'id', '1', 'fetched_at', ARGV[5])
end
"""
SETTINGS = """
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  redis.call('HSET', string.format('tlsmode:sender:s%07d.bench.test', i), 'mode', 'enforced')
end
"""


def later(seconds=70000):
    return int(time.time()) + seconds


def run(redis, script, count, *args):
    client = redis.connect()
    for first in range(0, count, PIECE):
        client("EVAL", script, 0, first, min(first + PIECE, count) - 1, *args)
    client.close()


def fill(redis, count, tlsa="none"):
    """Facts of the first COUNT of KEYS: a secure MX host with TLSA none, usable...; no MTA-STS."""
    run(redis, FACTS, count, later(), tlsa)


def fill_policies(redis, count, mx):
    """An enforce policy with these patterns (a blank between) beside them."""
    run(redis, POLICY, count, later(), mx, int(time.time()))


def fill_settings(redis, count):
    """COUNT sender settings, sNNNNNNN.bench.test."""
    run(redis, SETTINGS, count)
