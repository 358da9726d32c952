"""What agents ask before each tool call and show under each prompt: `ringlet guard` and `ringlet statusline`, when nothing is new.

Budget: at most 4 times the bare interpreter, whatever the history.
"""

import json
import sys

from benchmarks import harness

_HOOK = {"session_id": "s", "hook_event_name": "PreToolUse", "tool_name": "Write", "tool_input": {"content": "x" * 20_000}}
_SESSION = {
    "session_id": "s",
    "model": {"id": "claude-opus-4-7", "display_name": "Opus 4.7"},
    "cost": {"total_cost_usd": 1.25},
    "context_window": {"context_window_size": 200_000, "used_percentage": 42},
}


def main() -> int:
    args = harness.arguments(__doc__, rounds=15).parse_args()
    home, _ = harness.home(args.work, args.bytes)
    with harness.store(args.work, "guard") as store:
        env = {"HOME": str(home), "RINGLET_HOME": str(store)}
        harness.once(harness.Command("import", harness.ringlet("usage", "--period", "all"), env))
        (store / "config.toml").write_text("[budgets.default]\nday = 1000000\nmonth = 100000000\n")
        harness.once(harness.Command("settings", harness.ringlet("usage"), env))
        hook, session = store / "hook.json", store / "session.json"
        hook.write_text(json.dumps(_HOOK))
        session.write_text(json.dumps(_SESSION))
        bare = harness.Command("python -I -S -c pass", harness.BARE)
        asked = [
            harness.Command("usage", harness.ringlet("usage"), env),
            harness.Command("guard --limit", harness.ringlet("guard", "--period", "month", "--limit", "1000000"), env, said=hook),
            harness.Command("guard --profile", harness.ringlet("guard", "--profile", "default"), env, said=hook),
            harness.Command("guard, all time", harness.ringlet("guard", "--period", "all", "--limit", "1000000000"), env, said=hook),
            harness.Command("statusline", harness.ringlet("statusline"), env, said=session),
            harness.Command("statusline --profile", harness.ringlet("statusline", "--profile", "default"), env, said=session),
        ]
        harness.interleaved([bare, *asked], rounds=args.rounds)
    print(harness.table(f"Guard and status line, {args.bytes} of history ({harness.machine()})", [bare, *asked], against=[bare]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
