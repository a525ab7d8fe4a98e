import Testing

@testable import AirlockCore
@testable import AirlockUpstream

struct RequestGateTests {
    private let time = ManualTime()

    private func gate(places: Int) -> RequestGate {
        let time = time
        return RequestGate(places: places, limit: .seconds(2), full: UpstreamError(.timeout, "full")) {
            try await time.pause($0)
        }
    }

    @Test func `Those who wait are let in in the order they came`() async throws {
        let gate = gate(places: 1)
        try await gate.enter()
        let order = Shared<[Int]>([])
        var tasks: [Task<Void, any Error>] = []
        for number in 0..<20 {
            tasks.append(
                Task {
                    try await gate.enter()
                    order.change { $0.append(number) }
                    gate.leave()
                })
            await eventually("number \(number) waits") { gate.waitingCount == number + 1 }
        }
        gate.leave()
        for task in tasks { try await task.value }
        #expect(order.current == Array(0..<20))
        #expect(gate.waitingCount == 0)
    }

    @Test func `Who is cancelled in line leaves it and costs nobody a place`() async throws {
        let gate = gate(places: 1)
        try await gate.enter()
        let cancelled = Task { try await gate.enter() }
        await eventually("one waits") { gate.waitingCount == 1 }
        let patient = Task { try await gate.enter() }
        await eventually("two wait") { gate.waitingCount == 2 }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        gate.leave()
        try await patient.value
        gate.leave()
        try await gate.enter()
    }

    @Test func `Who is cancelled before the line does not enter it`() async throws {
        let gate = gate(places: 1)
        try await gate.enter()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await gate.enter()
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(gate.waitingCount == 0)
    }

    @Test func `Nobody waits longer than the limit`() async throws {
        let gate = gate(places: 1)
        try await gate.enter()
        let task = Task { try await gate.enter() }
        await time.somebodySleeps(seconds: 2)
        time.advance(seconds: 2)
        let error = await #expect(throws: UpstreamError.self) { try await task.value }
        #expect(error?.message == "full")
        gate.leave()
        try await gate.enter()
    }

    @Test func `A crowd that comes, goes and gives up leaves every place free`() async throws {
        let gate = gate(places: 3)
        let inside = Shared((now: 0, most: 0))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<500 {
                group.addTask {
                    let task = Task {
                        try await gate.enter()
                        inside.change { inside in
                            inside.now += 1
                            inside.most = max(inside.most, inside.now)
                        }
                        await Task.yield()
                        inside.change { $0.now -= 1 }
                        gate.leave()
                    }
                    if number.isMultiple(of: 3) { task.cancel() }
                    _ = await task.result
                }
            }
        }
        #expect(inside.current.most <= 3)
        #expect(gate.waitingCount == 0)
        for _ in 0..<3 { try await gate.enter() }
        #expect(time.wakeUps.isEmpty)
    }
}
