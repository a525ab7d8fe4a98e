import AirlockCore
import Foundation

// Prints the seconds that the library takes for one connection URI. The URIs are the arguments' file, one JSON string a line, as
// `airlock uri parse` takes them. For scripts/bench, which does not count reading the file.

let lines = try Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[1])).split(separator: 0x0A)
let uris = try lines.map { line in
    guard let uri = try JSON(parsing: Array(line)).text else { throw CocoaError(.fileReadCorruptFile) }
    return uri
}
let clock = ContinuousClock()
var ports = 0
let taken = try clock.measure {
    // Something of each is used, so that no parse is left out.
    for uri in uris { ports += try ConnectionURI.parse(uri).port ?? 0 }
}
precondition(ports > 0)
print(taken / Duration.seconds(uris.count))
