#include "abi/cuda.h"
#include "core/trace.h"
#include "driver.h"

#include <chrono>

using namespace cudasim;

namespace {

void create(Context& context, CUstream* handle, unsigned flags) {
    require(flags <= CU_STREAM_NON_BLOCKING, CUDA_ERROR_INVALID_VALUE, "unknown flags");
    *handle = reinterpret_cast<CUstream>(context.create_stream(flags == CU_STREAM_DEFAULT).get());
}

std::shared_ptr<Event> event_of(Context& context, CUevent handle) {
    auto event = context.events().find(handle);
    require(event != nullptr, CUDA_ERROR_INVALID_HANDLE, "no such event in this context");
    return event;
}

/// The answer of a query. Work that a program polls for must come to its end, and must not be there at the first question.
void answer_query(Context& context, Stream& stream, std::uint64_t ticket) {
    if (stream.done(ticket)) {
        context.memory().check_canaries();
        return;
    }
    stream.step();
    fail(CUDA_ERROR_NOT_READY, "");
}

}  // namespace

CUresult cuStreamCreate(CUstream* phStream, unsigned int Flags) {
    return context_call(__func__, [&](Context& context) { create(context, phStream, Flags); });
}

CUresult cuStreamCreateWithPriority(CUstream* phStream, unsigned int flags, int) {
    return context_call(__func__, [&](Context& context) { create(context, phStream, flags); });
}

CUresult cuStreamDestroy_v2(CUstream hStream) {
    return context_call(__func__, [&](Context& context) { context.destroy_stream(hStream); });
}

CUresult cuStreamSynchronize(CUstream hStream) {
    return context_call(__func__, [&](Context& context) {
        const auto stream = context.stream(hStream);
        trace(text("synchronize stream ", context.number(*stream)));
        stream->run();
        context.memory().check_canaries();
        host_memory().check_canaries();
    });
}

CUresult cuStreamQuery(CUstream hStream) {
    return context_call(__func__, [&](Context& context) {
        const auto stream = context.stream(hStream);
        answer_query(context, *stream, stream->last_ticket());
    });
}

CUresult cuStreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned int Flags) {
    return context_call(__func__, [&](Context& context) {
        require(Flags == 0, CUDA_ERROR_INVALID_VALUE, "Flags must be 0");
        const auto event = event_of(context, hEvent);
        const auto stream = context.stream(hStream);
        if (event->stream != nullptr)
            context.enqueue(stream, [other = event->stream, ticket = event->ticket] { other->run_until(ticket); });
        trace(text("stream ", context.number(*stream), " waits"));
    });
}

CUresult cuStreamGetCtx(CUstream hStream, CUcontext* pctx) {
    return context_call(__func__, [&](Context& context) { *pctx = reinterpret_cast<CUcontext>(&context.stream(hStream)->context()); });
}

CUresult cuEventCreate(CUevent* phEvent, unsigned int Flags) {
    return context_call(__func__, [&](Context& context) {
        require((Flags & ~3u) == 0, CUDA_ERROR_INVALID_VALUE, "unknown flags");
        auto event = std::make_shared<Event>();
        event->timed = (Flags & CU_EVENT_DISABLE_TIMING) == 0;
        *phEvent = reinterpret_cast<CUevent>(context.events().add(std::move(event)));
    });
}

CUresult cuEventRecord(CUevent hEvent, CUstream hStream) {
    return context_call(__func__, [&](Context& context) {
        const auto event = event_of(context, hEvent);
        event->stream = context.stream(hStream);
        context.enqueue(event->stream, [event] {
            using Milliseconds = std::chrono::duration<double, std::milli>;
            event->milliseconds = Milliseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
        });
        event->ticket = event->stream->last_ticket();
    });
}

CUresult cuEventQuery(CUevent hEvent) {
    return context_call(__func__, [&](Context& context) {
        const auto event = event_of(context, hEvent);
        if (event->stream != nullptr)
            answer_query(context, *event->stream, event->ticket);
    });
}

CUresult cuEventSynchronize(CUevent hEvent) {
    return context_call(__func__, [&](Context& context) {
        const auto event = event_of(context, hEvent);
        if (event->stream != nullptr)
            event->stream->run_until(event->ticket);
        trace("synchronize event");
    });
}

CUresult cuEventElapsedTime(float* pMilliseconds, CUevent hStart, CUevent hEnd) {
    return context_call(__func__, [&](Context& context) {
        const auto start = event_of(context, hStart), end = event_of(context, hEnd);
        require(start->timed && end->timed && start->stream != nullptr && end->stream != nullptr, CUDA_ERROR_INVALID_HANDLE,
                "an event was not recorded, or was created without timing");
        if (!start->stream->done(start->ticket) || !end->stream->done(end->ticket))
            fail(CUDA_ERROR_NOT_READY, "");
        *pMilliseconds = static_cast<float>(end->milliseconds - start->milliseconds);
    });
}

CUresult cuEventDestroy_v2(CUevent hEvent) {
    return context_call(__func__, [&](Context& context) {
        event_of(context, hEvent);
        context.events().remove(hEvent);
    });
}
