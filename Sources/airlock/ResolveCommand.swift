import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation

struct ResolveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve", abstract: "Print the values of references: {vault://mount/path/field}.",
        discussion: """
            One value a line, in the order of the references; - reads them from standard input, one a line. When one has no value \
            nothing is printed, standard error says why, and the exit code is 1. A text around references is printed with them.

            \(VaultOptions.discussion)
            """)

    @Argument(help: "References, or texts with references in them; - for standard input.")
    var references: [String]

    @Flag(help: "Print a JSON list with the value or the error of each.")
    var json = false

    @OptionGroup var server: VaultOptions

    func run() async throws {
        try await RunningServer.run {
            let results = try await server.resolver().values(of: try read())
            let output = json ? ResolveCommand.json(results.map(\.text)) : ResolveCommand.lines(results)
            try FileHandle.standardOutput.write(contentsOf: Data(output.bytes))
            guard output.isWhole else { throw ExitCode(1) }
        }
    }

    private struct Output {
        var bytes: [UInt8] = []
        var isWhole = true
    }

    private func read() throws -> [Result<ReferenceText, ReferenceFault>] {
        var texts: [String] = []
        for argument in references {
            guard argument == "-" else {
                texts.append(argument)
                continue
            }
            while let line = readLine() { texts.append(line) }
        }
        return texts.map { text in Result { () throws(ReferenceFault) in try ReferenceText(text) } }
    }

    /// Nothing at all when one of them has no value: the lines would stand for other references.
    private static func lines(_ results: [Result<SecretPayload, ReferenceFault>]) -> Output {
        var output = Output()
        func complain(_ index: Int, _ text: String) {
            output.isWhole = false
            Program.complain("airlock: " + Printable.text((results.count > 1 ? "\(index + 1): " : "") + text))
        }
        for (index, result) in results.enumerated() {
            switch result {
            case .failure(let fault): complain(index, fault.message)
            case .success(let value):
                if results.count > 1, value.bytes.contains(0x0A) {
                    complain(index, "the value has several lines; use --json, or resolve it alone")
                }
                output.bytes += value.bytes + [0x0A]
            }
        }
        if !output.isWhole { output.bytes = [] }
        return output
    }

    private static func json(_ results: [Result<String, ReferenceFault>]) -> Output {
        let elements = results.map { result -> JSON in
            switch result {
            case .success(let text): ["value": .string(text)]
            case .failure(let fault): ["error": .string(fault.message)]
            }
        }
        return Output(
            bytes: JSON.array(elements).bytes + [0x0A], isWhole: results.allSatisfy { (try? $0.get()) != nil })
    }
}
