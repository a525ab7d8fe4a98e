import AirlockCore
import CCurl
import Foundation
import Synchronization

/// The thread that owns the multi handle. Everything libcurl is called on that thread only, except the wake-up.
final class CurlEngine: Sendable {
    typealias Completion = @Sendable (Result<UpstreamResponse, any Error>) -> Void

    private struct Work {
        var starting: [(CurlTransfer, Completion)] = []
        var cancelled: [CurlTransfer] = []
        var isStopping = false
    }

    private let work = Mutex(Work())
    private let multi: Multi

    /// libcurl allows `curl_multi_wakeup` from any thread, and that is all other threads do with it.
    private struct Multi: @unchecked Sendable { let handle: UnsafeMutableRawPointer }

    init(connectionsPerHost: Int) throws(UpstreamError) {
        try LibCurl.load()
        guard let handle = airlock_multi_init() else { fatalError("libcurl has no memory for a client") }
        multi = Multi(handle: handle)
        _ = airlock_multi_set_long(handle, CURLMOPT_MAX_HOST_CONNECTIONS, connectionsPerHost)
        let thread = Thread { [self] in run() }
        thread.name = "airlock-upstream"
        thread.start()
    }

    func start(_ transfer: CurlTransfer, _ completion: @escaping Completion) {
        let isStopped = change { $0.starting.append((transfer, completion)) }
        if isStopped { completion(.failure(CancellationError())) }
    }

    /// Also right before `start` has run: the transfer remembers.
    func cancel(_ transfer: CurlTransfer) {
        _ = change { $0.cancelled.append(transfer) }
    }

    /// Ends the thread, which frees the handles; what is still under way ends as cancelled.
    func stop() {
        _ = change { $0.isStopping = true }
    }

    /// Wakes inside the lock: once the thread has seen `isStopping` it frees the handle that the wake-up needs.
    private func change(_ body: (inout Work) -> Void) -> Bool {
        work.withLock { work in
            if work.isStopping { return true }
            body(&work)
            airlock_multi_wakeup(multi.handle)
            return false
        }
    }

    // MARK: On the thread

    private func run() {
        var running: [UnsafeMutableRawPointer: (transfer: CurlTransfer, completion: Completion)] = [:]
        while true {
            let next = work.withLock { work in
                defer { (work.starting, work.cancelled) = ([], []) }
                return work
            }
            for transfer in next.cancelled {
                transfer.isCancelled = true
                if let entry = running.removeValue(forKey: transfer.handle) {
                    airlock_multi_remove_handle(multi.handle, transfer.handle)
                    entry.completion(.failure(CancellationError()))
                }
            }
            for (transfer, completion) in next.starting {
                if transfer.isCancelled || next.isStopping {
                    completion(.failure(CancellationError()))
                } else {
                    running[transfer.handle] = (transfer, completion)
                    airlock_multi_add_handle(multi.handle, transfer.handle)
                }
            }
            if next.isStopping { break }
            var count: Int32 = 0
            airlock_multi_perform(multi.handle, &count)
            var left: Int32 = 0
            while let message = airlock_multi_info_read(multi.handle, &left) {
                guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
                let code = airlock_message_result(message)
                airlock_multi_remove_handle(multi.handle, handle)
                if let entry = running.removeValue(forKey: handle) { entry.completion(entry.transfer.result(code)) }
            }
            // Long, because every change wakes it; libcurl shortens it to its own timers.
            airlock_multi_poll(multi.handle, 60_000)
        }
        for entry in running.values {
            airlock_multi_remove_handle(multi.handle, entry.transfer.handle)
            entry.completion(.failure(CancellationError()))
        }
        running = [:]
        airlock_multi_cleanup(multi.handle)
    }
}
