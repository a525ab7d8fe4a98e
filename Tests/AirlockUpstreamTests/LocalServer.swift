import Foundation
import Glibc
import Synchronization

/// A server of raw bytes on loopback or on a Unix socket: for each connection it reads one request after another and
/// writes what `answer` gives. `nil` keeps the client waiting.
final class LocalServer: Sendable {
    enum Place {
        case loopback
        case unix(path: String)
    }

    let port: Int
    private let listener: Int32
    private let requests = Mutex<[String]>([])
    private let connections = Mutex<(open: Set<Int32>, count: Int)>(([], 0))

    init(_ place: Place = .loopback, answer: @escaping @Sendable (String) -> String?) {
        let listener: Int32
        switch place {
        case .loopback:
            listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            _ = LocalServer.withAddress(&address) { bind(listener, $0, $1) }
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            _ = LocalServer.withAddress(&address) { pointer, _ in getsockname(listener, pointer, &length) }
            port = Int(UInt16(bigEndian: address.sin_port))
        case .unix(let path):
            listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            _ = LocalServer.withAddress(&address) { bind(listener, $0, $1) }
            port = 0
        }
        self.listener = listener
        listen(listener, 16)
        let thread = Thread { [self] in
            while case let connection = accept(listener, nil, nil), connection >= 0 {
                connections.withLock { connections in
                    connections.open.insert(connection)
                    connections.count += 1
                }
                Thread.detachNewThread { self.serve(connection, answer) }
            }
            close(self.listener)
        }
        thread.start()
    }

    var url: String { "http://127.0.0.1:\(port)" }
    var seen: [String] { requests.withLock { $0 } }
    var connectionCount: Int { connections.withLock { $0.count } }

    /// Each descriptor is closed by the thread that uses it: a number closed here could be another test's by then.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        connections.withLock { connections in
            for connection in connections.open { shutdown(connection, Int32(SHUT_RDWR)) }
        }
    }

    private static func withAddress<Address, Result>(
        _ address: inout Address, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    private func serve(_ connection: Int32, _ answer: (String) -> String?) {
        var pending = ""
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = recv(connection, &buffer, buffer.count, 0), count > 0 {
            pending += String(decoding: buffer[..<count], as: UTF8.self)
            while let request = LocalServer.takeRequest(&pending) {
                requests.withLock { $0.append(request) }
                guard let text = answer(request) else { continue }
                let bytes = Array(text.utf8)
                _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                if text.contains("Connection: close") { shutdown(connection, Int32(SHUT_RDWR)) }
            }
        }
        connections.withLock { connections in
            connections.open.remove(connection)
            close(connection)
        }
    }

    private static func takeRequest(_ pending: inout String) -> String? {
        guard let end = pending.range(of: "\r\n\r\n") else { return nil }
        let head = pending[..<end.lowerBound].lowercased()
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) }
        let body = pending[end.upperBound...]
        guard body.utf8.count >= length ?? 0 else { return nil }
        defer { pending = "" }
        return pending
    }

    static func response(_ status: Int, _ body: String, headers: String = "") -> String {
        "HTTP/1.1 \(status) X\r\n\(headers)Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }
}

/// A port whose queue of connections is full: the next one gets no answer, as from a host behind a firewall.
struct SilentHost {
    let port: Int
    private let sockets: [Int32]

    init() {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        _ = SilentHost.withAddress(&address) { bind(listener, $0, $1) }
        listen(listener, 0)
        _ = SilentHost.withAddress(&address) { pointer, length in
            var length = length
            return getsockname(listener, pointer, &length)
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        let nonBlocking = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let clients = (0..<4).map { _ in socket(AF_INET, nonBlocking, 0) }
        for client in clients { _ = SilentHost.withAddress(&address) { connect(client, $0, $1) } }
        sockets = [listener] + clients
    }

    var url: String { "http://127.0.0.1:\(port)" }

    func close() { for socket in sockets { Glibc.close(socket) } }

    private static func withAddress(
        _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
