/// A text with references in it, as many as it likes: `postgres://app:{vault://secret/db/password?url_encode=true}@db/app`.
package struct ReferenceText: Sendable {
    private enum Piece: Sendable {
        case text(SecretPayload)
        case reference(Reference)
    }

    private let pieces: [Piece]

    /// - Throws: a fault of the kind `malformed`, also when there is no reference.
    package init(_ text: String) throws(ReferenceFault) {
        var pieces: [Piece] = []
        var rest = text.utf8[...]
        let opening = Array(Reference.opening.utf8)
        while let start = rest.firstRange(of: opening) {
            guard let end = rest[start.upperBound...].firstIndex(of: UInt8(ascii: "}")) else {
                throw .malformed("a reference has no '}' at its end")
            }
            pieces.append(.text(SecretPayload(Array(rest[..<start.lowerBound]))))
            pieces.append(.reference(try Reference(text[start.upperBound..<end])))
            rest = rest[rest.index(after: end)...]
        }
        guard !pieces.isEmpty else { throw .malformed("there is no reference in it: {vault://mount/path/field}") }
        self.pieces = pieces + [.text(SecretPayload(Array(rest)))]
    }

    package var references: [Reference] {
        pieces.compactMap { if case .reference(let reference) = $0 { reference } else { nil } }
    }

    /// The text with each reference's value in its place.
    func filled(_ value: (Reference) throws(ReferenceFault) -> SecretPayload) throws(ReferenceFault) -> SecretPayload {
        var bytes: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .text(let text): bytes += text.bytes
            case .reference(let reference): bytes += try value(reference).bytes
            }
        }
        return SecretPayload(bytes)
    }
}
