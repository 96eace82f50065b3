# Lines of package, version, source, source version, architecture, maintainer, homepage → an SPDX 2.3 document.
(split("\n") | map(select(length > 0) | split("\t"))) as $packages
| {
    spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", name: $name,
    documentNamespace: "https://edgevirt.io/sbom/\($name)",
    creationInfo: { created: $created, creators: ["Tool: edgevirt-image"] },
    packages: ([{
      SPDXID: "SPDXRef-image", name: $name, versionInfo: $name, downloadLocation: "NOASSERTION", filesAnalyzed: false,
      licenseConcluded: "NOASSERTION", licenseDeclared: "NOASSERTION", copyrightText: "NOASSERTION", primaryPackagePurpose: "OPERATING-SYSTEM" }]
      + [$packages[] | {
      SPDXID: "SPDXRef-deb-\(.[0] | gsub("[^A-Za-z0-9.-]"; "-"))", name: .[0], versionInfo: .[1],
      supplier: (if .[5] == "" then "NOASSERTION" else "Organization: \(.[5])" end),
      downloadLocation: "NOASSERTION", filesAnalyzed: false, licenseConcluded: "NOASSERTION", licenseDeclared: "NOASSERTION", copyrightText: "NOASSERTION",
      sourceInfo: "built from \(.[2]) \(.[3])" } + (if .[6] == "" then {} else { homepage: .[6] } end) + { externalRefs: [{
        referenceCategory: "PACKAGE-MANAGER", referenceType: "purl",
        referenceLocator: "pkg:deb/debian/\(.[0] | @uri)@\(.[1] | @uri)?arch=\(.[4])&upstream=\(.[2] | @uri)%40\(.[3] | @uri)" }] }]),
    relationships: ([{ spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-image" }]
      + [$packages[] | { spdxElementId: "SPDXRef-image", relationshipType: "CONTAINS", relatedSpdxElement: "SPDXRef-deb-\(.[0] | gsub("[^A-Za-z0-9.-]"; "-"))" }])
  }
