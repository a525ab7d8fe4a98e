import Foundation

extension Reference {
    /// What the reference stands for.
    /// - Parameter secret: the object that is stored; `nil` when there is none.
    func value(in secret: JSON?) throws(ReferenceFault) -> SecretPayload {
        let found: JSON
        do throws(ReferenceFault) {
            found = try chosen(in: secret)
        } catch {
            guard error.kind == .absent, let standard = options.standard else { throw error }
            return SecretPayload(Array(standard.revealed.utf8))
        }
        // A text is itself; anything else is its JSON.
        var bytes = found.text.map { Array($0.utf8) } ?? found.bytes
        if options.isBase64 { bytes = try Reference.decoded(bytes) }
        guard options.isForURL else { return SecretPayload(bytes) }
        return SecretPayload(Array(PercentEncoding.encode(bytes).utf8))
    }

    private func chosen(in secret: JSON?) throws(ReferenceFault) -> JSON {
        guard let secret else { throw .absent("there is no such secret") }
        guard var value = secret[field] else { throw .absent("the secret has no such field") }
        if !options.pointer.isEmpty, let text = value.text {
            guard let parsed = try? JSON(parsing: text) else { throw .unusable("the field does not hold JSON") }
            value = parsed
        }
        for part in options.pointer {
            guard let next = Reference.member(part, of: value) else {
                throw .absent("the field has nothing where its json option leads")
            }
            value = next
        }
        guard !value.isNull else { throw .absent("its value is null") }
        return value
    }

    private static func member(_ name: String, of value: JSON) -> JSON? {
        guard let elements = value.elements else { return value[name] }
        guard let index = Int(name), elements.indices.contains(index), String(index) == name else { return nil }
        return elements[index]
    }

    /// Line breaks are no part of base64, but tools put them there.
    private static func decoded(_ bytes: [UInt8]) throws(ReferenceFault) -> [UInt8] {
        guard let decoded = Data(base64Encoded: Data(bytes.filter { $0 != 0x0A && $0 != 0x0D })) else {
            throw .unusable("its value is not base64")
        }
        return Array(decoded)
    }
}

extension Result where Success == SecretPayload, Failure == ReferenceFault {
    /// The value where it has to be text.
    package var text: Result<String, ReferenceFault> {
        flatMap { value in
            String(validating: value.bytes, as: UTF8.self).map(Result<String, ReferenceFault>.success)
                ?? .failure(.unusable("its value is not UTF-8 text, and cannot be shown as JSON"))
        }
    }
}
