"""Lava's actors as threads of one process, where it starts a process for each.

Compiler, runtime, channels and models stay Lava's own. Only what the operating system is asked for
changes: a thread in place of a fork, plain memory in place of shared memory, and semaphores of
threads. Small networks start in a fraction of the time; large ones compute on one core.
"""

import os
import queue
import threading
import traceback

from lava.magma.compiler.channels import pypychannel
from lava.magma.runtime import runtime
from lava.magma.runtime.message_infrastructure.multiprocessing import MultiProcessing


def use_threads():
    """From now on, in this process."""
    runtime.MessageInfrastructureFactory = ThreadFactory
    runtime.Queue = queue.Queue
    pypychannel.Semaphore = threading.Semaphore


class ThreadFactory:
    """In place of Lava's MessageInfrastructureFactory."""

    @staticmethod
    def create(factory_type):
        return Threads()


class Threads(MultiProcessing):
    """Lava's message infrastructure without processes."""

    def start(self):
        self._smm = OwnMemory()

    def build_actor(self, target_fn, builder, exception_q=None):
        thread = threading.Thread(target=run_actor, args=(target_fn, builder, exception_q), daemon=True)
        thread.start()
        self._actors.append(thread)
        return thread

    def stop(self):
        for actor in self._actors:
            actor.join()


class OwnMemory:
    """In place of Lava's SharedMemoryManager."""

    def create_shared_memory(self, size):
        block = type("Block", (), {})()
        block.buf = memoryview(bytearray(size))
        return block


def run_actor(target_fn, builder, exception_q):
    """One actor; when it fails, the others would wait for it for ever, so that all end here."""
    try:
        target_fn(builder=builder, exception_q=exception_q)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
