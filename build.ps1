# Restores, checks the format, builds and tests: the steps of tests/steps.proj, which .ci/run calls too.
#   ./build.ps1              all steps
#   ./build.ps1 Build        up to one of Restore, Format, Build, Test
param([ValidateSet('Restore', 'Format', 'Build', 'Test')][string]$Target = 'Test')

$total = Join-Path $PSScriptRoot 'artifacts/tests/total.txt'
if (Test-Path $total) { Remove-Item $total }

dotnet msbuild (Join-Path $PSScriptRoot 'tests/steps.proj') -nologo -v:minimal "-t:$Target"
$code = $LASTEXITCODE
if (Test-Path $total) { Get-Content $total }
exit $code
