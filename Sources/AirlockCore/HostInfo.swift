import Foundation

/// The machine, as Linux tells it: what an operator compares between hosts, and nothing of the process or its environment.
package struct HostInfo: Sendable {
    package struct Processor: Sendable, Equatable {
        package var vendor: String
        package var model: String
        package var megahertz: String

        package init(vendor: String = "", model: String = "", megahertz: String = "") {
            self.vendor = vendor
            self.model = model
            self.megahertz = megahertz
        }
    }

    package let hostname: String
    package let kernelVersion: String
    package let architecture: String
    package let uptimeSeconds: Int
    package let processors: [Processor]
    /// Bytes, by the kernel's own names (`MemTotal`).
    package let memory: [String: Int]

    package static func read() -> HostInfo {
        var name = utsname()
        uname(&name)
        func text<Field>(_ field: Field) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        func file(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
        return HostInfo(
            hostname: text(name.nodename), kernelVersion: text(name.release), architecture: text(name.machine),
            uptimeSeconds: file("/proc/uptime").split(separator: ".").first.flatMap { Int($0) } ?? 0,
            processors: processors(file("/proc/cpuinfo")), memory: memory(file("/proc/meminfo")))
    }

    private static func lines(_ text: Substring) -> [(name: String, value: String)] {
        text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            return parts.count == 2 ? (parts[0], parts[1]) : nil
        }
    }

    package static func processors(_ cpuinfo: String) -> [Processor] {
        cpuinfo.split(separator: "\n\n").compactMap { block in
            let lines = lines(block)
            guard lines.first?.name == "processor" else { return nil }
            var processor = Processor()
            for (name, value) in lines {
                switch name {
                case "vendor_id": processor.vendor = value
                case "model name": processor.model = value
                case "cpu MHz": processor.megahertz = value
                default: continue
                }
            }
            return processor
        }
    }

    package static func memory(_ meminfo: String) -> [String: Int] {
        var memory: [String: Int] = [:]
        for (name, value) in lines(meminfo[...]) {
            guard value.hasSuffix(" kB"), let kilobytes = Int(value.dropLast(3)) else { continue }
            memory[name] = kilobytes * 1024
        }
        return memory
    }
}
