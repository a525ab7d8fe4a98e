import AirlockCore
import AirlockUpstream
import Foundation

/// Starts a command when its references have values and, when it is asked to, stays with it: sends it the signals that come, looks
/// for changed values, and ends as it ends.
struct Supervisor {
    /// The exit code where there is no command that has one.
    static let failed: Int32 = 125

    let command: [String]
    let state: ProcessState
    let reader: ReferenceReader
    let action: ChangeAction
    let interval: CommandDuration
    let killAfter: CommandDuration

    private enum Phase {
        case running
        /// For a restart; killed at that time, `nil` when it has been.
        case stopping(killedAt: ContinuousClock.Instant?)
    }

    private var phase = Phase.running
    private var child: pid_t = 0
    private var environment: [SecretPayload] = []
    /// When the values are read again; `nil` while they are.
    private var nextRead: ContinuousClock.Instant?
    private var isFailing = false
    /// The command was asked to end.
    private var isEnding = false

    init(
        command: [String], state: ProcessState, reader: ReferenceReader, action: ChangeAction,
        interval: CommandDuration, killAfter: CommandDuration
    ) {
        self.command = command
        self.state = state
        self.reader = reader
        self.action = action
        self.interval = interval
        self.killAfter = killAfter
    }

    /// - Returns: the exit code. Where nothing is watched the process becomes the command, and this does not return.
    mutating func run() throws -> Int32 {
        if let code = try readFirst() { return code }
        if action == .ignore { try ChildProcess.become(command, environment, state) }
        // Where a parent has had it ignored, nobody would learn how the command ended.
        signal(SIGCHLD, SIG_DFL)
        try start()
        while true {
            let received = Signals.wait(for: state.awaited, timeLeft)
            if let code = try reap() { return code }
            if let received, received.number != SIGCHLD { forward(received) }
            if let outcome = reader.finished() { take(outcome) }
            watchTheClock()
        }
    }

    /// - Returns: the exit code when a signal comes before there are values.
    private mutating func readFirst() throws -> Int32? {
        reader.start()
        while true {
            let number = Signals.wait(for: state.awaited)?.number
            if let number, number != SIGCHLD, number != SIGWINCH { return 128 + number }
            if let outcome = reader.finished() {
                environment = try outcome.get()
                return nil
            }
        }
    }

    // MARK: The command

    private mutating func start() throws {
        child = try ChildProcess.start(command, environment, state)
        phase = .running
        nextRead = .now + interval.duration
    }

    /// All children that have ended: as the first process of a container this one gets others' too.
    private mutating func reap() throws -> Int32? {
        var status: Int32 = 0
        while case let ended = waitpid(-1, &status, WNOHANG), ended > 0 {
            guard ended == child else { continue }
            guard case .stopping = phase else { return ChildProcess.code(status) }
            try start()
        }
        return nil
    }

    private mutating func forward(_ received: Signals.Received) {
        // Who asks for the end does not want a restart any more.
        if Signals.ending.contains(received.number) { (phase, isEnding) = (.running, true) }
        if !received.isFromTerminal { kill(child, received.number) }
    }

    // MARK: Changes

    private mutating func take(_ outcome: ReferenceReader.Outcome) {
        nextRead = .now + interval.duration
        switch outcome {
        case .failure(let error):
            guard !isFailing else { return }
            isFailing = true
            if let unresolved = error as? ReferenceEnvironment.Unresolved { ExecCommand.complain(of: unresolved) }
            Program.complain("airlock: the values cannot be read again; the command keeps those that it has")
        case .success(let new):
            if isFailing { Program.complain("airlock: the values can be read again") }
            isFailing = false
            if new != environment, !isEnding { change(to: new) }
        }
    }

    private mutating func change(to new: [SecretPayload]) {
        environment = new
        switch action {
        case .ignore: break
        case .signal(let number): kill(child, number)
        case .restart:
            Program.complain("airlock: a value has changed; the command is started anew")
            phase = .stopping(killedAt: .now + killAfter.duration)
            kill(child, SIGTERM)
        }
    }

    // MARK: Time

    /// Until something is due; `nil`: nothing is.
    private var timeLeft: Duration? {
        let due = if case .stopping(let killedAt) = phase { killedAt } else { nextRead }
        return due.map { max(.zero, $0 - .now) }
    }

    private mutating func watchTheClock() {
        switch phase {
        case .stopping(let killedAt):
            guard let killedAt, .now >= killedAt else { return }
            kill(child, SIGKILL)
            phase = .stopping(killedAt: nil)
        case .running:
            guard let next = nextRead, .now >= next else { return }
            nextRead = nil
            reader.start()
        }
    }
}
