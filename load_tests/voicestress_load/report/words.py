"""How to read the drawings and the tables of a report."""

LATENCY = (
    "From the moment a request was meant to be sent, whether or not the generator and the server were ready for it. "
    "Each mark is a step; hollow where the SLO was missed."
)
CLOSED_LATENCY = (
    "From the moment a caller sent it. The callers wait for their answers, so this hides what others would have waited."
)
ACHIEVED = "On the dotted line all that was offered was scored. Answers that came after the step count until they came."
LATENCY_OVER_TIME = (
    "By when requests were meant to be sent. Vertical lines begin a step; a search tries rates up and down."
)
OUTCOMES = (
    "Rejected: turned away by a full queue, or after waiting too long. Late: not answered within the deadline. Failed: "
    "any other error."
)
LAG = "The generator's own delay. Beyond its bound the generator measures itself, and the step or the run is void."
LENGTHS = "What the workload asked for."
QUEUE = "By Triton's counters, means of the requests finished in each time: one above the other, waiting on computing."
BATCH = "By Triton's counters: windows over executions. Triton has no histogram of its batches."
BATCH_HISTOGRAM = "Executions by the mean batch of the second they were in, for Triton counts no batch by its size."
BUSY = (
    "Computing time over time, of all servers together: 1 is one execution at any time. The processors are those of "
    "the server's machine, whoever used them."
)
PENDING = "Requests in Triton's queues at the moments they were read."
MEMORY = "Dashed: the memory in use"
UNSEEN = (
    "The server's metrics were not read, so the page knows the callers' side only. Give Triton a "
    "<code>--metrics-port</code> and name its address in <code>--metrics</code>."
)
