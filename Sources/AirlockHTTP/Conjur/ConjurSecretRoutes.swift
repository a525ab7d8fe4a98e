import AirlockCore
import Foundation
import HTTPTypes

/// Values of variables.
enum ConjurSecretRoutes {
    static let read: ConjurSurface.Handler = { call in
        var version: Int?
        if let text = call.query["version"] {
            guard let number = Int(text) else {
                throw ConjurError(.unprocessableContent, "argument_error", "'version' must be a number")
            }
            guard number > 0 else { throw ConjurError.absent(call["id"]) }
            version = number
        }
        let (value, headers) = try await call.variables().value(of: call["id"], version: version)
        return ConjurResponse(body: .value(value), headers: headers)
    }

    static let set: ConjurSurface.Handler = { call in
        try await call.variables().set(call["id"], to: call.body)
        return ConjurResponse(status: .created)
    }

    /// All of them or none.
    static let batch: ConjurSurface.Handler = { call in
        let names = (call.query["variable_ids"] ?? "").split(separator: ",", omittingEmptySubsequences: false)
            .map(String.init)
        guard !names.contains("") else { throw ConjurError(.unprocessableContent, "argument_error", "variable_ids") }
        guard Set(names.map { ExactText($0) }).count == names.count else {
            throw ConjurError(.unprocessableContent, "duplicate_variable", "variable_ids names a variable twice")
        }
        let variables = try call.variables()
        var values: [JSON.Member] = []
        for name in names {
            guard let id = ConjurID(full: name), id.kind == .variable else {
                throw ConjurError(
                    .notFound, "not_found", "variable_ids are \(ConjurAccount.name):variable:ID, and this has another")
            }
            let value = try await variables.value(of: id.name.text).value
            let text =
                call.wantsBase64
                ? Data(value.bytes).base64EncodedString() : String(decoding: value.bytes, as: UTF8.self)
            values.append(.init(name, .string(text)))
        }
        var response = ConjurResponse(body: .json(.object(values)))
        if call.wantsBase64 { response.headers[.contentEncoding] = "base64" }
        return response
    }
}
