import AirlockCore
import AirlockUpstream

/// Looks at what the target has, before anything is decided.
struct Survey {
    let mount: ImportMount
    /// Folders that may not be listed, so that ids like those imported are not noticed there.
    private(set) var unlisted: [String] = []
    private var listed: [String: [String]] = [:]

    init(_ mount: ImportMount) { self.mount = mount }

    /// Reads what is at the paths, the ones that a list has shown to be there: of a version 2 mount, where a write that
    /// finds something else is refused.
    /// - Parameter found: told about every path, in any order.
    mutating func read(
        _ paths: [String], found: (Int, Result<Secret?, UpstreamError>) -> Void
    ) async throws {
        var open: [Int] = []
        if mount.isVersioned {
            let folders = Dictionary(grouping: paths.indices) { Survey.folder(of: paths[$0]) }
            for (folder, indices) in folders {
                guard let names = try await names(of: folder) else {
                    open += indices
                    continue
                }
                let known = Set(names)
                for index in indices {
                    if known.contains(Survey.name(of: paths[index])) {
                        open.append(index)
                    } else {
                        found(index, .success(nil))
                    }
                }
            }
            open.sort()
        } else {
            open = Array(paths.indices)
        }
        var outage: UpstreamError?
        let mount = mount
        await mount.inChunks(open) { chunk in
            await mount.read(chunk.map { paths[$0] })
        } finished: { chunk, answers in
            for (index, answer) in zip(chunk, answers) {
                if case .failure(let error) = answer, error.isOutage || error.kind == .noSuchMount { outage = error }
                found(index, answer)
            }
            return outage == nil
        }
        if let outage { throw outage }
    }

    /// Ids at the target that are other than the items', but not to Airflow's environment form.
    /// - Returns: by the item's index, the name of one such id that is not deleted.
    mutating func twins(of items: [ImportPlan.Item], in layout: ImportLayout) async throws -> [Int: String] {
        var candidates: [Int: [(name: String, path: String)]] = [:]
        let places = Dictionary(grouping: items.indices) { index in
            let target = items[index].target
            return ImportTarget(target.kind, team: target.team.map(ImportTarget.folded), id: "")
        }
        for (place, indices) in places {
            let base = try layout.folder(of: items[indices[0]].target)
            let wanted = Dictionary(
                indices.map { (ImportTarget.folded(items[$0].target.id), $0) }, uniquingKeysWith: { first, _ in first })
            for team in try await teams(like: place.team, in: base) {
                let folder = Survey.path(base, team)
                for name in try await names(of: folder) ?? [] where !name.hasSuffix("/") {
                    guard let index = wanted[ImportTarget.folded(name)] else { continue }
                    let found = ImportTarget(place.kind, team: team, id: name)
                    if !found.name.utf8.elementsEqual(items[index].target.name.utf8) {
                        candidates[index, default: []].append((found.name, Survey.path(folder, name)))
                    }
                }
            }
        }
        return try await living(candidates)
    }

    /// A deleted secret's name stays in a version 2 mount's list. One that may not be read is taken to live.
    private func living(_ candidates: [Int: [(name: String, path: String)]]) async throws -> [Int: String] {
        var twins: [Int: String] = [:]
        for (index, candidates) in candidates {
            let answers = await mount.read(candidates.map(\.path))
            for (candidate, answer) in zip(candidates, answers) {
                if case .success(let found) = answer, found?.data == nil { continue }
                twins[index] = candidate.name
            }
        }
        return twins
    }

    /// The folders of a team, however its name is spelt; the base itself for what belongs to none.
    private mutating func teams(like team: String?, in base: String) async throws -> [String?] {
        guard let team else { return [nil] }
        return try await names(of: base)?.filter { $0.hasSuffix("/") }.map { String($0.dropLast()) }
            .filter { ImportTarget.folded($0) == team } ?? []
    }

    private mutating func names(of folder: String) async throws -> [String]? {
        if let known = listed[folder] { return known }
        guard !unlisted.contains(folder) else { return nil }
        guard let names = try await mount.list(folder) else {
            unlisted.append(folder)
            return nil
        }
        listed[folder] = names
        return names
    }

    private static func path(_ folder: String, _ name: String?) -> String {
        [folder, name ?? ""].filter { !$0.isEmpty }.joined(separator: "/")
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    private static func name(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }
}
