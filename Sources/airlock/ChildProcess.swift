import AirlockCore
import Foundation

/// What the program got from its parent and a command is to get from it, unchanged: made before anything else is.
struct ProcessState {
    /// What is ignored stays ignored, as nohup(1) wants it. `SIGCHLD` says that something has happened, to the child or in another
    /// thread.
    let awaited: sigset_t
    /// libcurl's client ignores it.
    let defaultSignals: sigset_t
    private(set) var mask = sigset_t()
    private let files: Set<Int32>

    /// From here on the awaited signals wait for whoever asks for them, in this thread and in those that it starts.
    init() {
        awaited = Signals.set(Signals.forwarded.filter { !Signals.isIgnored($0) } + [SIGCHLD])
        defaultSignals = Signals.set(Signals.isIgnored(SIGPIPE) ? [] : [SIGPIPE])
        files = ProcessState.openFiles
        var awaited = awaited
        pthread_sigmask(SIG_BLOCK, &awaited, &mask)
    }

    /// A command gets the files that its parent has opened for it, and none of those of this program.
    func keepFilesBack() {
        for file in ProcessState.openFiles.subtracting(files) {
            _ = fcntl(file, F_SETFD, fcntl(file, F_GETFD) | FD_CLOEXEC)
        }
    }

    private static var openFiles: Set<Int32> {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        // Among them was the folder's own, which is closed by now.
        return Set(names.compactMap { Int32($0) }.filter { $0 > 2 && fcntl($0, F_GETFD) >= 0 })
    }
}

/// A command with its environment, as a process.
enum ChildProcess {
    struct Failure: Error {
        let message: String
        let code: Int32

        init(_ command: String, _ error: Int32) {
            code = error == ENOENT ? 127 : 126
            message = "\(command): \(String(cString: strerror(error)))"
        }
    }

    /// Becomes the command. Returns only by throwing.
    static func become(_ command: [String], _ environment: [SecretPayload], _ state: ProcessState) throws -> Never {
        let program = try program(command[0], environment)
        state.keepFilesBack()
        var (mask, defaults) = (state.mask, state.defaultSignals)
        if sigismember(&defaults, SIGPIPE) == 1 { signal(SIGPIPE, SIG_DFL) }
        pthread_sigmask(SIG_SETMASK, &mask, nil)
        let error = withStrings(command, environment) { arguments, variables in
            execve(program, arguments, variables)
            return errno
        }
        throw Failure(command[0], error)
    }

    /// - Returns: the process id.
    static func start(_ command: [String], _ environment: [SecretPayload], _ state: ProcessState) throws -> pid_t {
        let program = try program(command[0], environment)
        state.keepFilesBack()
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (mask, defaults) = (state.mask, state.defaultSignals)
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var process: pid_t = 0
        let error = withStrings(command, environment) { arguments, variables in
            posix_spawn(&process, program, nil, &attributes, arguments, variables)
        }
        guard error == 0 else { throw Failure(command[0], error) }
        return process
    }

    /// The exit code that stands for how a process ended.
    static func code(_ status: Int32) -> Int32 {
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    /// The file to run, found on the command's own `PATH`.
    private static func program(_ name: String, _ environment: [SecretPayload]) throws(Failure) -> String {
        if name.contains("/") { return name }
        let path = environment.first { $0.bytes.starts(with: "PATH=".utf8) }?.bytes.dropFirst(5)
        let folders = path.map { String(decoding: $0, as: UTF8.self) } ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in folders.split(separator: ":") {
            let file = "\(folder)/\(name)"
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), !isFolder.boolValue,
                access(file, X_OK) == 0
            {
                return file
            }
        }
        throw Failure(name, ENOENT)
    }

    private typealias Strings = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

    private static func withStrings(
        _ command: [String], _ environment: [SecretPayload], _ body: (Strings, Strings) -> Int32
    ) -> Int32 {
        var arguments = command.map { strdup($0) } + [nil]
        var variables = environment.map { variable in
            (variable.bytes + [0]).withUnsafeBytes { strdup($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
        }
        variables.append(nil)
        defer { for text in arguments + variables { free(text) } }
        return arguments.withUnsafeMutableBufferPointer { arguments in
            variables.withUnsafeMutableBufferPointer { variables in
                body(arguments.baseAddress!, variables.baseAddress!)
            }
        }
    }
}
