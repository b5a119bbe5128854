"""Notifications: what is queued, how a message is written, how it is sent, and the tasks that deliver it.

`content` and `alertmanager.payload` write messages and do no I/O; `transport` and `receivers` open
connections; the queue changes only through `outbox`, which is pure; only the tasks of `supervisor` wait and
retry. An attempt ends as a `DeliveryResult`, never as an exception; only cancellation and bugs pass through.
"""
